# SPDX-License-Identifier: GPL-2.0-only
"""The class of a difference, world by world, against what has been told of it.

draw.py      worlds of one program or two, each made of an earlier one
one.py       the differences in one world, each with its class there
measure.py   many worlds, and what is not as it was told
compared.py  of two programs, against what the comparison told
checked.py   of one program, against what was told of it and the contract
handlers.py  the programs: handlers alone, with their conversions (with or without a planted
             wrong), with those of another source
"""
