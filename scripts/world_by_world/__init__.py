# SPDX-License-Identifier: GPL-2.0-only
"""The class of a difference, world by world, against what the comparison has told of it.

draw.py      worlds of two programs, each made of an earlier one
one.py       the differences in one world, each with its class there
measure.py   many worlds of one pair of programs, and what is not as it was told
handlers.py  the pairs: handlers with their conversions, with or without a planted wrong
"""
