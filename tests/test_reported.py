"""What users of tools like this report of building, flashing, measuring, and who holds the answer.

Each row: what goes wrong elsewhere, and the tests that show what happens here.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
ROWS: dict[str, dict[str, str]] = {
    "memory": {
        "the arena's size is found by trial and error": "tflm.the_bisection_ends_at_the_smallest",
        "it differs between host and target": "tflm.the_arena_is_found_on_a_board",
        "too small an arena ends in a hard fault": "tflm.an_arena_that_is_too_small_says_so",
        "a second run sees inputs that the first has overwritten": "run.a_bench_is_repeatable",
        "constants land in RAM": "build.every_byte_has_one_owner",
        "an unaligned model array faults": "tflm.the_model_is_a_constant_aligned_array",
        "'region overflowed' after a long build": "flow.a_model_too_big_for_a_board_is_refused",
        "the stack overflows": "build.stack_overflow_faults_and_is_reported",
        "two models in one program": "emit.two_models_live_in_one_program",
    },
    "build": {
        "undefined _sbrk, _kill": "build.no_image_holds_semihosting_or_stdio",
        "the FPU is off, or flags differ": "flow.one_network_agrees_on_every_core",
        "an old compiler": "build.old_compiler_is_refused",
        "printf of floats prints nothing": "mlperf.any_float_is_printed_as_printf_does",
        "old examples do not build": "example.an_exported_example_runs_with_make",
        "an emulator prints nothing": "probes.qemu_ends_with_the_probe_and_explains_itself",
    },
    "flash": {
        "old firmware of the probe": "flashers.old_probe_firmware_is_mentioned",
        "no connection until reset is held": "flashers.the_ladder",
        "a locked chip": "flashers.a_locked_chip_is_erased_only_when_told_to",
        "no permission for USB": "flashers.no_permission_has_its_exact_fix",
        "two boards, the wrong one is flashed": "flashers.two_probes_are_not_guessed_between",
        "odd serial numbers of old probes": "flashers.old_st_links_have_binary_serial_numbers",
        "flashing goes on after a failed build": "monitor.an_unfinished_or_changed_build",
        "the compiler's output is hidden": "build.compile_errors_show_command_and_last_lines",
        "a hard fault without a debugger": "build.no_image_holds_semihosting_or_stdio",
    },
    "serial": {
        "'invalid firmware', whatever it is": "monitor.wrong_port_wrong_firmware_silence_and",
        "garbage from a wrong clock": "monitor.garbage_is_named_by_its_baud_rate",
        "zeros from a line without power": "line.a_line_that_is_held_low_is_told",
        "the port is held by a terminal": "cli.a_busy_port_names_who_holds_it",
        "the port is held by ModemManager": "monitor.modem_manager_is_named_with_its_cure",
        "bytes are dropped": "soak.every_inference_of_a_soak_is_received_or_reported",
        "nothing comes until reset": "monitor.a_waiting_board_is_asked_who_it_is",
        "a flasher's reset is missed": "flashers.a_reset_with_the_console_open_and_empty",
        "0 ticks are taken for a latency": "run.a_counter_that_shows_zero",
        "milliseconds of a wrong clock": "run.time_is_told_only_of_real_cycles",
        "CYCCNT stays 0": "soc_boot.a_locked_counter_is_unlocked",
        "a counter wraps": "build.counter_survives_its_wrap",
        "an emulator's figures are taken for a board's": "mlperf.an_emulator_has_no_throughput",
        "three times slower: caches off, another clock": "soc_boot.boot_at_full_speed",
        "a slow kernel is not seen": "profile.what_the_next_best_kernel_costs",
        "the runner has windows and buttons only": "mlperf.the_command_measures_whatever",
    },
    "energy": {
        "the source voltage is not set": "meters_ppk2.the_source_voltage_command",
        "samples are lost unseen": "meters_ppk2.lost_samples_are_counted",
        "inrush is measured too": "energy.settling_is_cut_off",
        "one run is taken for the truth": "energy.the_confidence_interval_is_students",
        "the UART raises the figure": "energy.a_window_is_silent_and_the_pin_is_high",
        "the trigger is waited for without end": "energy.a_pin_that_is_not_wired_is_told",
        "a pulse is missed": "mlperf_energy.a_pulse_too_few_or_too_many",
        "an estimate looks measured": "energy.the_command_never_lets_an_estimate",
    },
}


@pytest.mark.parametrize("area", ROWS)
def test_each_report_has_its_test(area: str) -> None:
    for report, answer in ROWS[area].items():
        module, _, name = answer.partition(".")
        tree = ast.parse((FOLDER / f"test_{module}.py").read_text(encoding="utf-8"))
        tests = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        assert [t for t in tests if t.startswith(f"test_{name}")], f"{report}: no test {answer}"
