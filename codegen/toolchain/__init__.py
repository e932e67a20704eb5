# SPDX-License-Identifier: GPL-2.0-only
"""Every stage of the tool, in order, and what each command makes of them.

    stage      makes       from                             by
    corpus     text        a SOURCE argument                open_request()
    frontend   constants   a tree's headers                 constants_of()
    ir         programs    a file, all configurations       unit_of()
    tables     decisions   the paths of the programs        tabled()
    targets    C           a handler's own statements       convert_file(), after_of()
               a verdict   both sides' paths                converted(), against(), checked()
               patches     what passed                      plan(), series_mails()
               Python      a program                        simulators()
               a page      all of it                        reported(), page_of(), sarif_log()

A stage is imported where it is used: `genfault --help` loads none of them.
"""

from codegen.toolchain.comparison import checked, converted, judged
from codegen.toolchain.conversion import after_of, convert_file
from codegen.toolchain.files import each_file
from codegen.toolchain.pages import page_of, reported, sarif_log
from codegen.toolchain.products import Product
from codegen.toolchain.request import (
    Request,
    assumptions,
    constants_of,
    open_pair,
    open_request,
    unit_of,
)
from codegen.toolchain.series import plan, series_mails
from codegen.toolchain.simulation import simulators, words_of_headers
from codegen.toolchain.sources import against, beside, unpaired
from codegen.toolchain.tabling import tabled

__all__ = [
    "Product",
    "Request",
    "after_of",
    "against",
    "assumptions",
    "beside",
    "checked",
    "constants_of",
    "convert_file",
    "converted",
    "each_file",
    "judged",
    "open_pair",
    "open_request",
    "page_of",
    "plan",
    "reported",
    "sarif_log",
    "series_mails",
    "simulators",
    "tabled",
    "unit_of",
    "unpaired",
    "words_of_headers",
]
