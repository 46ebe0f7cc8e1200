"""Arenas in two memories: what is counted, that it fits and stays right, and that the second one is used sparingly."""

from __future__ import annotations

import dataclasses

import pytest

from tests.passes.stream.support import Case, cases, differences, results
from tinyc.ir.errors import IRError
from tinyc.ir.rows import RowProgram, Space, verify_program
from tinyc.ir.rows.lives import lives, peak
from tinyc.ir.rows.replay import accesses, place, replay
from tinyc.ir.rows.traffic import moved, traffic
from tinyc.passes.core.base import PassError
from tinyc.passes.rows.plan import PlanArena
from tinyc.passes.rows.spare import UseSpareMemory
from tinyc.passes.stream import Stream
from tinyc.passes.stream.two_memories import StreamInTwo

ROOM = 1 << 20


def in_two(program: RowProgram, internal: int, external: int = ROOM) -> RowProgram:
    """The program scheduled for two memories, and planned."""
    scheduled = StreamInTwo(internal, external).run(program)
    return PlanArena(memories=(internal, external)).run(scheduled)


def least(program: RowProgram) -> int:
    plan = PlanArena().run(Stream().run(program)).plan
    assert plan is not None
    return plan.bytes


def counted(program: RowProgram) -> dict[str, int]:
    """The bytes that the steps of a schedule touch in each memory of the arena, one access after the other. A step that
    computes several rows reads no row that two of them share."""
    found: dict[str, int] = {}
    begun: set[int] = set()
    for step in program.schedule():
        stage = program.stages[step.stage]
        for access in accesses(program, step):
            root, start, stop = place(program, access)
            # What is gathered is read, too, once there is something.
            times = 2 if access.writes and stage.gathers and step.stage in begun else 1
            if root.space is Space.ARENA:
                found[root.name] = found.get(root.name, 0) + times * (stop - start)
        begun.add(step.stage)
    return found


@pytest.mark.parametrize("case", list(cases(range(8))), ids=lambda c: c.name)
def test_traffic_is_what_the_steps_of_any_schedule_touch(case: Case) -> None:
    for program in (case.program, Stream().run(case.program)):
        sums = traffic(program)
        assert sums == {name: size for name, size in counted(program).items() if name in sums}
        assert sum(sums.values()) == sum(counted(program).values())


@pytest.mark.parametrize("case", list(cases(range(10))), ids=lambda c: c.name)
def test_any_part_of_the_arena_may_be_internal(case: Case) -> None:
    whole, moves = least(case.program), []
    for share in (1.0, 0.7, 0.4, 0.1):
        internal = max(int(whole * share), 1)
        program = UseSpareMemory(words=8, budget=internal).run(in_two(case.program, internal))
        plan = program.plan
        assert plan is not None
        assert plan.bytes <= internal
        assert {s.external for s in plan.slots} <= {False, True}
        assert max((s.offset + s.bytes for s in plan.slots if s.external), default=0) == plan.external_bytes
        verify_program(program)
        replay(program)
        before, after = (results(p, case.network.arrays) for p in (case.program, program))
        # A float sum that is gathered row by row is rounded otherwise than one over a whole tensor.
        assert differences(before, after, rounded=True) == []
        inside, outside = moved(program)
        assert inside + outside == sum(traffic(program).values())
        assert bool(outside) == bool(plan.external_bytes) or not traffic(program)
        moves.append(outside)
    assert moves[0] == 0, "all of it fits"
    assert moves[-1] >= moves[1]


def test_what_lies_in_the_wrong_memory_is_caught() -> None:
    """A buffer moved to the same offset of the other arena is over others, or outside."""
    found = 0
    for case in cases(range(6)):
        program = in_two(case.program, max(least(case.program) // 2, 1))
        plan = program.plan
        assert plan is not None
        for k, slot in enumerate(plan.slots):
            slots = list(plan.slots)
            slots[k] = dataclasses.replace(slot, external=not slot.external)
            wrong = dataclasses.replace(program, plan=dataclasses.replace(plan, slots=tuple(slots)))
            inside = [s for s in slots if s.external == slots[k].external and s is not slots[k]]
            over = any(s.offset < slot.offset + slot.bytes and slot.offset < s.offset + s.bytes for s in inside)
            if slot.offset + slot.bytes > plan.room(not slot.external):
                with pytest.raises(IRError, match="outside the arena"):
                    verify_program(wrong)
                found += 1
            elif over and peak(list(lives(program).values())) > plan.room(not slot.external):
                try:
                    replay(wrong)
                except IRError:
                    found += 1
    assert found > 10


def test_nothing_is_outside_for_which_there_is_room() -> None:
    for case in cases(range(10), ["arena"]):
        whole = least(case.program)
        program = in_two(case.program, max(whole // 2, 1))
        plan = program.plan
        assert plan is not None
        sums = traffic(program)
        for name, slot in plan.by_buffer.items():
            if slot.external and sums.get(name, 0):
                assert plan.bytes + slot.bytes > max(whole // 2, 1)


def test_two_memories_that_are_too_small_are_refused() -> None:
    case = next(cases(range(1), ["arena"]))
    with pytest.raises(PassError, match=r"internal has 1 bytes|external has 2 bytes"):
        in_two(case.program, 1, 2)
