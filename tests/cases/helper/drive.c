/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs one rendering of generic_fault() through every outcome in both modes,
 * over an mm that counts its locks. The expectation is the contract's, written
 * down a second time and with no dialect in it: all renderings must agree.
 */
#include "stubs.h"
#include "generic_fault.c"

enum vma_kind { VMA_NONE, VMA_GROWS, VMA_STUCK, VMA_NO_STACK, VMA_DENIED, VMA_GOOD, VMA_KINDS };

static const vm_fault_t outcomes[] = {
	0,
	VM_FAULT_MAJOR,
	VM_FAULT_OOM,
	VM_FAULT_SIGSEGV,
	VM_FAULT_SIGBUS,
	VM_FAULT_HWPOISON,
	VM_FAULT_HWPOISON_LARGE | 3 << 16,
	VM_FAULT_HWPOISON | VM_FAULT_HWPOISON_LARGE | 3 << 16,
	VM_FAULT_RETRY,
	VM_FAULT_RETRY | VM_FAULT_MAJOR,
#ifdef HAVE_COMPLETED
	VM_FAULT_COMPLETED,
#endif
};

#define ADDRESS 0x10000UL
#define PERMITTED 0x2UL
#ifdef HAVE_COMPLETED
#define DROPS_LOCK (VM_FAULT_RETRY | VM_FAULT_COMPLETED)
#else
#define DROPS_LOCK VM_FAULT_RETRY
#endif

/* The scenario */
static enum vma_kind kind;
static vm_fault_t outcome;
static int user, pending, fatal, contended, killed, in_extable;

/* What happened */
static int mm_lock, vma_lock, waits, passes, ooms, faults_counted, failures;
static unsigned int last_flags;

static struct mm_struct the_mm;
static struct vm_area_struct the_vma;
static struct task_struct the_task;
struct task_struct *current = &the_task;

#define CHECK(what)                                                                        \
	do {                                                                               \
		if (!(what) && failures++ < 20)                                            \
			__builtin_printf("%s: vma %d outcome %#x user %d pending %d "      \
					 "fatal %d contended %d killed %d extable %d\n",   \
					 #what, kind, outcome, user, pending, fatal,       \
					 contended, killed, in_extable);                   \
	} while (0)

static int trylock(void)
{
	if (contended)
		return 0;
	mm_lock++;
	return 1;
}

static int killable(void)
{
	waits++;
	CHECK(user || in_extable);
	if (killed)
		return -4;
	mm_lock++;
	return 0;
}

#ifdef HAVE_MMAP_SEM
int down_read_trylock(struct rw_semaphore *sem)
{
	CHECK(sem == &the_mm.mmap_sem);
	return trylock();
}

#ifdef ONLY_UNKILLABLE
void down_read(struct rw_semaphore *sem)
{
	CHECK(sem == &the_mm.mmap_sem);
	CHECK(!killable());
}
#else
int down_read_killable(struct rw_semaphore *sem)
{
	CHECK(sem == &the_mm.mmap_sem);
	return killable();
}
#endif

void up_read(struct rw_semaphore *sem)
{
	CHECK(sem == &the_mm.mmap_sem);
	mm_lock--;
}
#else
_Bool mmap_read_trylock(struct mm_struct *mm)
{
	CHECK(mm == &the_mm);
	return trylock();
}

int mmap_read_lock_killable(struct mm_struct *mm)
{
	CHECK(mm == &the_mm);
	return killable();
}

void mmap_read_unlock(struct mm_struct *mm)
{
	CHECK(mm == &the_mm);
	mm_lock--;
}
#endif

struct vm_area_struct *find_vma(struct mm_struct *mm, unsigned long address)
{
	CHECK(mm == &the_mm && address == ADDRESS && mm_lock == 1);
	return kind == VMA_NONE ? NULL : &the_vma;
}

#ifdef HAVE_EXPAND_STACK_MM
struct vm_area_struct *expand_stack(struct mm_struct *mm, unsigned long address)
{
	CHECK(mm == &the_mm && address == ADDRESS && mm_lock == 1);
	if (kind == VMA_GROWS)
		return &the_vma;
	mm_lock--;
	return NULL;
}
#else
int expand_stack(struct vm_area_struct *vma, unsigned long address)
{
	CHECK(vma == &the_vma && address == ADDRESS && mm_lock == 1);
	return kind == VMA_GROWS ? 0 : -12;
}
#endif

#ifdef HAVE_LOCK_MM_AND_FIND_VMA
struct vm_area_struct *lock_mm_and_find_vma(struct mm_struct *mm, unsigned long address,
					    struct pt_regs *regs)
{
	CHECK(mm == &the_mm && address == ADDRESS && regs);
	if (!trylock() && ((!user && !in_extable) || killable()))
		return NULL;
	if (kind == VMA_GROWS || kind == VMA_DENIED || kind == VMA_GOOD)
		return &the_vma;
	mm_lock--;
	return NULL;
}
#endif

#ifdef HAVE_PER_VMA_LOCK
struct vm_area_struct *lock_vma_under_rcu(struct mm_struct *mm, unsigned long address)
{
	CHECK(mm == &the_mm && address == ADDRESS && user && !mm_lock);
	if (kind != VMA_DENIED && kind != VMA_GOOD)
		return NULL;
	vma_lock++;
	return &the_vma;
}

void vma_end_read(struct vm_area_struct *vma)
{
	CHECK(vma == &the_vma);
	vma_lock--;
}
#endif

static vm_fault_t fault_pass(struct vm_area_struct *vma, unsigned long address, unsigned int flags)
{
	vm_fault_t fault = passes++ ? 0 : outcome;
	int fast = 0;

#ifdef HAVE_PER_VMA_LOCK
	fast = !!(flags & FAULT_FLAG_VMA_LOCK);
#endif
	CHECK(vma == &the_vma && address == ADDRESS);
	CHECK(kind != VMA_DENIED);
	CHECK(mm_lock == !fast && vma_lock == fast);
	CHECK(!(fault & VM_FAULT_RETRY) || flags & FAULT_FLAG_ALLOW_RETRY);
	last_flags = flags;
	if (fault & DROPS_LOCK) {
#ifndef HAVE_VMA_LOCK_KEPT
		vma_lock = 0;
#endif
		mm_lock = 0;
	}
	return fault;
}

#ifdef HAVE_REGS
vm_fault_t handle_mm_fault(struct vm_area_struct *vma, unsigned long address,
			   unsigned int flags, struct pt_regs *regs)
{
	CHECK(regs);
	return fault_pass(vma, address, flags);
}
#else
vm_fault_t handle_mm_fault(struct vm_area_struct *vma, unsigned long address,
			   unsigned int flags)
{
	return fault_pass(vma, address, flags);
}
#endif

void perf_sw_event(int event, int nr, struct pt_regs *regs, unsigned long address)
{
	CHECK(nr == 1 && regs && address == ADDRESS);
	if (event == PERF_COUNT_SW_PAGE_FAULTS)
		faults_counted++;
}

#ifdef HAVE_EXCEPTION_IP
unsigned long exception_ip(struct pt_regs *regs)
#else
unsigned long instruction_pointer(struct pt_regs *regs)
#endif
{
	return (unsigned long)regs;
}

const void *search_exception_tables(unsigned long address)
{
	CHECK(address);
	return in_extable ? &the_mm : NULL;
}

int signal_pending(struct task_struct *task)
{
	CHECK(task == current);
	return pending;
}

int fatal_signal_pending(struct task_struct *task)
{
	CHECK(task == current);
	return fatal;
}

void pagefault_out_of_memory(void)
{
	CHECK(!mm_lock && !vma_lock && user);
	ooms++;
}

unsigned int hstate_index_to_shift(unsigned int index)
{
	CHECK(index == 3);
	return 21;
}

void might_sleep(void)
{
}

/* The contract, for a fault whose lock is taken at once. */
static unsigned int expected(void)
{
	if (kind == VMA_NONE || kind == VMA_STUCK || kind == VMA_NO_STACK)
		return user ? GFAULT_MAPERR : GFAULT_KERN;
	if (kind == VMA_DENIED)
		return user ? GFAULT_ACCERR : GFAULT_KERN;
	if (outcome & VM_FAULT_RETRY) {
#ifdef ONLY_FATAL_SIGNALS
		if (user)
			return fatal ? GFAULT_FOAD : GFAULT_DONE;
#endif
		if (user)
			return pending ? GFAULT_FOAD : GFAULT_DONE;
		return fatal ? GFAULT_KERN : GFAULT_DONE;
	}
	if (!(outcome & VM_FAULT_ERROR))
		return GFAULT_DONE;
	if (!user)
		return GFAULT_KERN;
	if (outcome & VM_FAULT_HWPOISON_LARGE)
		return 256 + 21;
	switch (outcome) {
	case VM_FAULT_OOM:
		return GFAULT_FOAD;
	case VM_FAULT_SIGSEGV:
		return GFAULT_SIGSEGV;
	case VM_FAULT_SIGBUS:
		return GFAULT_SIGBUS;
	default:
		return 256 + 12;
	}
}

static void run(void)
{
	unsigned int flags = FAULT_FLAG_ALLOW_RETRY | (user ? FAULT_FLAG_USER : 0);
	unsigned int got;
	int can_fault = kind == VMA_GROWS || kind == VMA_GOOD;
	int fast = 0, major;

#if defined(HAVE_PER_VMA_LOCK) && defined(CONFIG_PER_VMA_LOCK)
	fast = user && (kind == VMA_GOOD || kind == VMA_DENIED);
#endif
	mm_lock = vma_lock = waits = passes = ooms = faults_counted = 0;
	the_task = (struct task_struct){ .mm = &the_mm };
	the_vma.vm_start = kind < VMA_DENIED ? ADDRESS + 0x1000 : ADDRESS;
	the_vma.vm_flags = (kind == VMA_DENIED ? 0x70 : PERMITTED) |
			   (kind == VMA_GROWS || kind == VMA_STUCK ? VM_GROWSDOWN : 0);

	got = generic_fault(ADDRESS, flags, PERMITTED, (struct pt_regs *)&the_task);

	CHECK(!mm_lock && !vma_lock);
	CHECK(faults_counted == 1);
	if (contended && !user && !in_extable) {
		CHECK(got == GFAULT_KERN && !waits && !passes);
		return;
	}
	if (contended && killed && !fast) {
		CHECK(waits == 1 && !passes);
		CHECK(user ? got == GFAULT_FOAD || got == GFAULT_MAPERR : got == GFAULT_KERN);
		return;
	}
	if (contended && killed)
		return;

	CHECK(got == expected());
	CHECK(ooms == (can_fault && user && outcome == VM_FAULT_OOM));
	CHECK(passes == (can_fault ? 1 + (outcome & VM_FAULT_RETRY && got == GFAULT_DONE) : 0));
	major = outcome & VM_FAULT_MAJOR;
	if (passes == 2) {
		CHECK(!!(last_flags & FAULT_FLAG_TRIED) == (!fast || major));
#ifdef HAVE_RETRY_TWICE
		CHECK(last_flags & FAULT_FLAG_ALLOW_RETRY);
#else
		CHECK(!(last_flags & FAULT_FLAG_ALLOW_RETRY) == !fast);
#endif
	}
#ifdef HAVE_REGS
	CHECK(!the_task.maj_flt && !the_task.min_flt);
#else
	CHECK(the_task.maj_flt == (got == GFAULT_DONE && major));
	CHECK(the_task.min_flt == (got == GFAULT_DONE && !major));
#endif
}

int main(void)
{
	unsigned int i, bits;

	for (kind = VMA_NONE; kind < VMA_KINDS; kind++)
		for (i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++)
			for (bits = 0; bits < 64; bits++) {
				outcome = outcomes[i];
				user = bits & 1;
				pending = !!(bits & 2);
				fatal = pending && bits & 4;
				contended = !!(bits & 8);
#ifdef ONLY_UNKILLABLE
				killed = 0;
#else
				killed = !!(bits & 16);
#endif
				in_extable = !!(bits & 32);
				run();
			}

	/* A mask of 0 permits nothing, whatever the VMA has. */
	kind = VMA_GOOD;
	user = 1;
	contended = 0;
	the_vma = (struct vm_area_struct){ ADDRESS, ~0UL };
	mm_lock = vma_lock = 0;
	CHECK(generic_fault(ADDRESS, FAULT_FLAG_USER, 0, (struct pt_regs *)&the_task) ==
	      GFAULT_ACCERR);
	CHECK(!mm_lock && !vma_lock);

	return !!failures;
}
