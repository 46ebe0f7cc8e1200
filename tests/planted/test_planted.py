from __future__ import annotations
from pathlib import Path
import pytest
import tinyc
from tests.planted.faults import FAULTS, PLANTED, Fault
from tests.planted.network import quantise, write
from tinyc.compiler.verify import VerificationError
from tinyc.passes.manager import PassVerificationError

@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.name)
def test_fault(fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path)
    options = dict(fault.options)
    if fault.int8:
        options["quantise"] = quantise()
    PLANTED.times = 0
    fault.plant(monkeypatch)
    with pytest.raises((VerificationError, PassVerificationError), match=fault.blamed) as caught:
        tinyc.compile(path, **options)
    print("CAUGHT", fault.name, caught.value)
    assert PLANTED.times or "python" in fault.name
