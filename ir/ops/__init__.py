"""The tensor operators, one class each. Importing this package registers them all, and has every class by its name."""

from tinyc.ir.constant import Constant as Constant
from tinyc.ir.op import REGISTERED, Op
from tinyc.ir.ops.along import *
from tinyc.ir.ops.arithmetic import *
from tinyc.ir.ops.conv import *
from tinyc.ir.ops.elementwise import *
from tinyc.ir.ops.linear import *
from tinyc.ir.ops.logic import *
from tinyc.ir.ops.movement import *
from tinyc.ir.ops.normalise import *
from tinyc.ir.ops.pool import *
from tinyc.ir.ops.qconv import *
from tinyc.ir.ops.qcum_sum import *
from tinyc.ir.ops.qdiv import *
from tinyc.ir.ops.qelementwise import *
from tinyc.ir.ops.qinterpolate import *
from tinyc.ir.ops.qmatmul import *
from tinyc.ir.ops.qnormalise import *
from tinyc.ir.ops.qpool import *
from tinyc.ir.ops.qprelu import *
from tinyc.ir.ops.qrecurrent import *
from tinyc.ir.ops.qreduce import *
from tinyc.ir.ops.quantise import *
from tinyc.ir.ops.recurrent import *
from tinyc.ir.ops.reduce import *
from tinyc.ir.ops.scatter import *
from tinyc.ir.ops.take_rows import *
from tinyc.ir.ops.trigonometric import *


def registry() -> dict[str, type[Op]]:
    """All operator classes by mnemonic, in alphabetical order."""
    return dict(sorted(REGISTERED.items()))
