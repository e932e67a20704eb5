/* SPDX-License-Identifier: GPL-2.0-only */
#define GFAULT_DONE 0
#define GFAULT_FOAD 1
#define GFAULT_KERN 2
#define GFAULT_MAPERR 3
#define GFAULT_ACCERR 4
#define GFAULT_SIGSEGV 5
#define GFAULT_SIGBUS 6
#define GFAULT_POISON 256
