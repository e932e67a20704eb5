/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Just enough of the kernel for generic_fault.c to be read by a compiler.
 *
 * Each HAVE_* macro gives what one field of MmApi says that a tree offers, and
 * nothing else is declared: a helper that uses what its tree does not offer
 * fails here.
 */
#ifndef STUBS_H
#define STUBS_H

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define WARN_ON_ONCE(x) __builtin_trap()
#ifndef NULL
#define NULL ((void *)0)
#endif
#define PAGE_SHIFT 12
#define FIRST_USER_ADDRESS 0UL

#define VM_GROWSDOWN 0x100UL

struct pt_regs;

struct rw_semaphore {
	int count;
};

struct mm_struct {
#ifdef HAVE_MMAP_SEM
	struct rw_semaphore mmap_sem;
#endif
	int users;
};

struct vm_area_struct {
	unsigned long vm_start;
	unsigned long vm_flags;
};

struct task_struct {
	struct mm_struct *mm;
	unsigned long maj_flt, min_flt;
};

extern struct task_struct *current;

typedef unsigned int vm_fault_t;

enum {
	VM_FAULT_OOM = 0x1,
	VM_FAULT_SIGBUS = 0x2,
	VM_FAULT_MAJOR = 0x4,
	VM_FAULT_HWPOISON = 0x10,
	VM_FAULT_HWPOISON_LARGE = 0x20,
	VM_FAULT_SIGSEGV = 0x40,
	VM_FAULT_RETRY = 0x400,
	VM_FAULT_FALLBACK = 0x800,
#ifdef HAVE_COMPLETED
	VM_FAULT_COMPLETED = 0x4000,
#endif
	VM_FAULT_ERROR = 0x873,
};
#define VM_FAULT_GET_HINDEX(x) (((x) >> 16) & 0xf)

enum {
	FAULT_FLAG_ALLOW_RETRY = 0x4,
	FAULT_FLAG_TRIED = 0x20,
	FAULT_FLAG_USER = 0x40,
#ifdef HAVE_PER_VMA_LOCK
	FAULT_FLAG_VMA_LOCK = 0x1000,
#endif
};

#ifdef HAVE_REGS
vm_fault_t handle_mm_fault(struct vm_area_struct *vma, unsigned long address,
			   unsigned int flags, struct pt_regs *regs);
#else
vm_fault_t handle_mm_fault(struct vm_area_struct *vma, unsigned long address,
			   unsigned int flags);
#endif

#ifdef HAVE_MMAP_SEM
int down_read_trylock(struct rw_semaphore *sem);
#ifdef ONLY_UNKILLABLE
void down_read(struct rw_semaphore *sem);
#else
int __attribute__((warn_unused_result)) down_read_killable(struct rw_semaphore *sem);
#endif
void up_read(struct rw_semaphore *sem);
#else
_Bool mmap_read_trylock(struct mm_struct *mm);
int __attribute__((warn_unused_result)) mmap_read_lock_killable(struct mm_struct *mm);
void mmap_read_unlock(struct mm_struct *mm);
#endif

struct vm_area_struct *find_vma(struct mm_struct *mm, unsigned long address);
#ifdef HAVE_LOCK_MM_AND_FIND_VMA
struct vm_area_struct *lock_mm_and_find_vma(struct mm_struct *mm, unsigned long address,
					    struct pt_regs *regs);
#endif
#ifdef HAVE_EXPAND_STACK_MM
struct vm_area_struct *expand_stack(struct mm_struct *mm, unsigned long address);
#else
int expand_stack(struct vm_area_struct *vma, unsigned long address);
#endif

#ifdef HAVE_PER_VMA_LOCK
struct vm_area_struct *lock_vma_under_rcu(struct mm_struct *mm, unsigned long address);
void vma_end_read(struct vm_area_struct *vma);
enum { VMA_LOCK_SUCCESS, VMA_LOCK_RETRY };
#define count_vm_vma_lock_event(event) ((void)(event))
#endif

enum {
	PERF_COUNT_SW_PAGE_FAULTS,
	PERF_COUNT_SW_PAGE_FAULTS_MAJ,
	PERF_COUNT_SW_PAGE_FAULTS_MIN,
};
void perf_sw_event(int event, int nr, struct pt_regs *regs, unsigned long address);

#ifdef HAVE_EXCEPTION_IP
unsigned long exception_ip(struct pt_regs *regs);
#else
unsigned long instruction_pointer(struct pt_regs *regs);
#endif
const void *search_exception_tables(unsigned long address);
int signal_pending(struct task_struct *task);
int fatal_signal_pending(struct task_struct *task);
void pagefault_out_of_memory(void);
unsigned int hstate_index_to_shift(unsigned int index);
void might_sleep(void);

#endif /* STUBS_H */
