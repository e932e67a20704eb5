// SPDX-License-Identifier: GPL-2.0-only
//
// What coccinelle does with the same files, as a yardstick for speed only: the
// region from lock to unlock becomes a call. It knows nothing of access masks,
// outcomes or signals, and checks nothing afterwards.

@dance exists@
expression mm, address, flags, regs;
identifier vma, fault;
@@

- vma = lock_mm_and_find_vma(mm, address, regs);
  ... when any
- fault = handle_mm_fault(vma, address, flags, regs);
+ fault = generic_fault(address, flags, VM_ACCESS_FLAGS, regs);

@unlocked depends on dance@
expression mm;
@@

- mmap_read_unlock(mm);
