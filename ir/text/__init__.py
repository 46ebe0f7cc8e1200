"""The text form: for people, tests and bug reports.

    module @net {
      input %x: f32[1,4]
      %w = constant() {data = f32[2,4]<0.5, ...>} : f32[2,4]
      %y = dense(%x, %w, none) {min = 0.0} : f32[1,2] loc("fc1")
      return %y
    }

The printer (`tinyc.ir.spelling`) and the parser are both driven by the fields of the operators; neither knows any
operator. Data of more than a few elements is named (`@name`) and kept beside the text.
`parse_module(format_module(m)) == m`.
"""

from tinyc.ir.module import PrintedModule, format_module
from tinyc.ir.rows import format_program
from tinyc.ir.spelling import format_op
from tinyc.ir.text.parser import ParseError, parse_module

__all__ = ["ParseError", "PrintedModule", "format_module", "format_op", "format_program", "parse_module"]
