"""The tests of `make quick`: for each layer those that find the most faults for their time.

All together take about 80 seconds of processor time, 45 seconds on two cores. Cheap files are taken whole. Of what
compiles C, the kernels are taken as one build, unoptimised and sanitised, and whole networks as a few random ones that
go through every layer: `tinyc compile` compares each step with the one before, so these find what the rest misses.

An entry is a test file, or one with a test's name, or with name and parameters; `*` stands for anything.
"""

from __future__ import annotations

import re

CHOSEN = (
    # Types, operators, text form, and what a row form may read.
    "ir/*",
    # Each rule where it must apply and where it must not; schedules, rings and the arena, byte by byte.
    "passes/test_text.py",
    "passes/test_simplify.py",
    "passes/test_small_passes.py",
    "passes/test_fuse_*.py",
    "passes/test_fold_batch_norm.py",
    "passes/test_channels_last.py",
    "passes/test_layout.py",
    "passes/test_outputs.py",
    "passes/test_broadcast_rows.py",
    "passes/test_plan.py",
    "passes/test_placement_regions.py",
    "passes/test_broken_passes.py::test_a_liveness_range_cut_short_is_caught",
    "passes/test_pipeline.py::test_the_pipeline_keeps_the_meaning",
    "passes/stream/test_stream.py::test_a_depthwise_layer_between_pointwise_ones",
    "passes/stream/test_schedules.py::test_streaming_keeps_the_meaning[0]",
    "passes/stream/test_schedules.py::test_random_divisions_keep_the_meaning[0]",
    "passes/test_order.py::test_the_least_peak_of_all_orders[0]",
    "passes/test_order.py::test_random_modules_keep_their_meaning[0]",
    # Quantisation: observers, equalisation, bias correction, and what becomes of each operator in integers.
    "passes/quantise/test_observers.py",
    "passes/quantise/test_equalise.py",
    "passes/quantise/test_bias.py",
    "passes/quantise/test_calibrate.py",
    "passes/quantise/test_quantise.py",
    "passes/integerise/test_boundary.py",
    "passes/integerise/test_elementwise.py",
    "passes/integerise/test_layers.py",
    "passes/integerise/test_movement.py",
    "passes/integerise/test_pooling.py",
    "passes/integerise/test_networks.py::test_random_networks",
    # The interpreter's integer operators against exact arithmetic.
    "quantised/test_arithmetic.py",
    "quantised/test_operators.py",
    # Every kernel in every corner of its geometry and arithmetic; schedules in C.
    "c/test_spatial.py::test_corners[*-clang-sanitize]",
    "c/test_quantised.py::test_corners[*-clang-sanitize]",
    "c/test_quantised.py::test_arithmetic[clang]",
    "c/test_operators.py::test_operators[*-clang-sanitize]",
    "c/test_float_steps.py::test_kernels_take_the_steps[product-True-32-gcc]",
    "c/test_streaming.py::test_networks_side_by_side[*-clang-sanitize]",
    "c/test_streaming.py::test_rows_from_outside[int8-clang-sanitize]",
    "c/test_streaming.py::test_depthwise_rows_over_dead_ones[int8-forward-clang-sanitize]",
    "c/test_borders.py::test_quantize_at_every_tie[clang-sanitize]",
    "c/test_borders.py::test_dequantize_of_every_integer[clang-sanitize]",
    "c/test_pie.py::test_the_series_has_everything",
    "c/test_pie.py::test_windows[gcc]",
    "c/test_pie.py::test_extreme_weights[clang-sanitize]",
    "c/test_pie.py::test_schedules[arena-clang-sanitize]",
    "c/test_golden_operators.py",
    "c/test_text.py",
    "c/test_literals.py",
    "cores/test_split.py",
    "kernels/test_gates.py",
    # What the harness must notice.
    "runners/test_harness.py",
    "runners/test_objects.py",
    "runners/test_simulator.py::test_instructions_are_counted_one_by_one",
    "runners/test_tools.py",
    "runners/test_windowed.py::test_calls_within_calls",
    # Import of each operator, against onnxruntime.
    "frontend/test_elementwise.py",
    "frontend/test_convolutions.py",
    "frontend/test_recurrent.py",
    "frontend/test_reductions.py",
    "frontend/test_resize.py",
    "frontend/test_movement.py",
    "frontend/test_batch.py",
    "frontend/test_errors.py",
    "frontend/test_half.py",
    "frontend/test_order.py",
    "frontend/test_import.py",
    "frontend/test_quantised.py",
    # The verdict, and the witness of integers.
    "planted/test_verdict.py::test_the_library_raises*",
    "planted/test_rows.py",
    "planted/test_c.py::test_it_is_caught[relu skipped]",
    "planted/test_c.py::test_it_is_caught[callback asks*]",
    "planted/test_import_and_passes.py",
    "planted/test_quantisation.py::test_it_is_caught[pads of one more*]",
    "compiler/witness/test_planted_faults.py::test_without_a_fault",
    "compiler/witness/test_planted_faults.py::test_bias_correction_on_a_part_of_the_data[-1.0]",
    "compiler/witness/test_integers.py::test_random_networks[0]",
    # What a quantised network takes and gives.
    "compiler/test_interface.py::test_what_is_float_stays_float",
    # Commands, their options and messages.
    "compiler/test_misuse.py",
    "compiler/test_cli.py::test_verify",
    "compiler/test_fit.py",
    "compiler/test_layers.py",
    "compiler/test_samples.py",
    # Packages and targets.
    "packages/test_memories.py",
    "packages/test_formats.py::test_options_are_the_defaults_of_the_configuration",
    "packages/test_formats.py::test_the_arduino_library_keeps_to_the_specification",
    "packages/test_formats.py::test_the_generated_c_is_the_same_in_every_form",
    "targets/*",
    # Whole models, random ones.
    "fuzz/test_random_modules.py::test_rows_on_the_planned_arena_agree_with_tensors[0]",
    "fuzz/test_random_graphs.py::test_random_models_agree_with_onnxruntime[float-0-30]",
    "fuzz/test_random_graphs.py::test_random_models_agree_with_onnxruntime[int8-0-8]",
    # The project's own shape.
    "test_project.py",
    "test_readme.py",
)

LEFT_OUT = (
    "c/test_text.py::test_kernel_files_stand_alone",
    "compiler/test_fit.py::test_an_int8_network_is_not_slow",
    "compiler/test_misuse.py::test_interrupts_give_one_line_and_their_status",
    "cores/test_split.py::test_random_programs_compute_the_same",
    "passes/test_outputs.py::test_an_output_may_show_another_one",
    "runners/test_harness.py::test_the_harness_is_clean",
    "runners/test_harness.py::*rv32*",
    "passes/test_outputs.py::test_any_two_outputs_may_show_one_value",
    "targets/test_outside.py::test_the_command_takes_the_board_by_its_path",
)
"""What takes a second or more in files that are taken otherwise, and has its like elsewhere here."""


def _matcher(entry: str) -> re.Pattern[str]:
    return re.compile(re.escape(entry).replace(r"\*", ".*") + r"(\[.*)?" if "::" in entry else _file(entry))


def _file(entry: str) -> str:
    return re.escape(entry).replace(r"\*", ".*") + "(::.*)?"


MATCHERS = {entry: _matcher(entry) for entry in (*CHOSEN, *LEFT_OUT)}


def entries_for(test: str) -> list[str]:
    """The entries that a test meets, given as `folder/file.py::name[parameters]` from this folder on."""
    return [entry for entry, matcher in MATCHERS.items() if matcher.fullmatch(test)]
