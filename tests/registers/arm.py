"""Registers of Arm's cores and of its FPGA images' UART, as facts: address, fields, where they are.

From the Architecture Reference Manuals of Armv7-M (DDI 0403E), Armv6-M (DDI 0419) and Armv8-M
(DDI 0553), the CoreSight Architecture Specification (IHI 0029), and the Cortex-M System Design Kit
(DDI 0479). Written by hand; what m33.h of Raspberry Pi's pico-sdk for the RP2350 has of them under
the same names was compared with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class ArmRegister:
    """Fields as (lowest bit, bits). `value` is what the register takes as a whole, if only that."""

    address: int
    section: str
    fields: Mapping[str, tuple[int, int]]
    value: int | None = None


CORE: Mapping[str, ArmRegister] = {
    "SYST_CSR": ArmRegister(
        0xE000E010,
        "DDI 0403 B3.3, SysTick Control and Status Register",
        {"ENABLE": (0, 1), "TICKINT": (1, 1), "CLKSOURCE": (2, 1), "COUNTFLAG": (16, 1)},
    ),
    "SYST_RVR": ArmRegister(
        0xE000E014, "DDI 0403 B3.3, SysTick Reload Value Register", {"RELOAD": (0, 24)}
    ),
    # Armv7-M lets CURRENT have all 32 bits, of which those above the counter read as zero.
    "SYST_CVR": ArmRegister(
        0xE000E018, "DDI 0553 D1.2, SysTick Current Value Register", {"CURRENT": (0, 24)}
    ),
    "NVIC_ISER": ArmRegister(0xE000E100, "DDI 0403 B3.4, Interrupt Set-Enable Registers", {}),
    "NVIC_ICER": ArmRegister(0xE000E180, "DDI 0403 B3.4, Interrupt Clear-Enable Registers", {}),
    "NVIC_ICPR": ArmRegister(0xE000E280, "DDI 0403 B3.4, Interrupt Clear-Pending Registers", {}),
    "ICSR": ArmRegister(
        0xE000ED04,
        "DDI 0403 B3.2, Interrupt Control and State Register",
        {
            **{"VECTACTIVE": (0, 9), "RETTOBASE": (11, 1), "VECTPENDING": (12, 9)},
            **{"ISRPENDING": (22, 1), "ISRPREEMPT": (23, 1), "PENDSTCLR": (25, 1)},
            **{"PENDSTSET": (26, 1), "PENDSVCLR": (27, 1), "PENDSVSET": (28, 1)},
            "NMIPENDSET": (31, 1),
        },
    ),
    "VTOR": ArmRegister(
        0xE000ED08, "DDI 0403 B3.2, Vector Table Offset Register", {"TBLOFF": (7, 25)}
    ),
    "CCR": ArmRegister(
        0xE000ED14,
        "DDI 0403 B3.2, Configuration and Control Register",
        {"UNALIGN_TRP": (3, 1), "STKALIGN": (9, 1), "DC": (16, 1), "IC": (17, 1), "BP": (18, 1)},
    ),
    "SHCSR": ArmRegister(
        0xE000ED24,
        "DDI 0403 B3.2, System Handler Control and State Register",
        {"MEMFAULTENA": (16, 1), "BUSFAULTENA": (17, 1), "USGFAULTENA": (18, 1)},
    ),
    # MemManage in the low byte, BusFault above, UsageFault in the upper half; STKOF is Armv8-M's.
    "CFSR": ArmRegister(
        0xE000ED28,
        "DDI 0403 B3.2 and DDI 0553 D1.2, Configurable Fault Status Register",
        {"MSTKERR": (4, 1), "STKERR": (8 + 4, 1), "STKOF": (16 + 4, 1)},
    ),
    "CPACR": ArmRegister(
        0xE000ED88,
        "DDI 0403 B3.2.20, Coprocessor Access Control Register: 0b11 is full access",
        {"CP10": (20, 2), "CP11": (22, 2)},
    ),
    "MPU_CTRL": ArmRegister(
        0xE000ED94,
        "DDI 0403 B3.5, MPU Control Register",
        {"ENABLE": (0, 1), "HFNMIENA": (1, 1), "PRIVDEFENA": (2, 1)},
    ),
    # Ctype1 is 0b001 for an instruction cache, 0b010 for data, 0b011 for both apart.
    "CLIDR": ArmRegister(0xE000ED78, "DDI 0403 B4.8, Cache Level ID Register", {"CTYPE1": (0, 3)}),
    "CCSIDR": ArmRegister(
        0xE000ED80,
        "DDI 0403 B4.8, Cache Size ID Registers",
        {"LINESIZE": (0, 3), "ASSOCIATIVITY": (3, 10), "NUMSETS": (13, 15)},
    ),
    "CSSELR": ArmRegister(
        0xE000ED84, "DDI 0403 B4.8, Cache Size Selection Register", {"IND": (0, 1), "LEVEL": (1, 3)}
    ),
    "ICIALLU": ArmRegister(0xE000EF50, "DDI 0403 B2.2.7, cache maintenance operations", {}),
    "DCISW": ArmRegister(0xE000EF60, "DDI 0403 B2.2.7, cache maintenance operations", {}),
    "DEMCR": ArmRegister(
        0xE000EDFC,
        "DDI 0403 C1.6, Debug Exception and Monitor Control Register",
        {"TRCENA": (24, 1)},
    ),
    "DWT_CTRL": ArmRegister(0xE0001000, "DDI 0403 C1.8, Control register", {"CYCCNTENA": (0, 1)}),
    "DWT_CYCCNT": ArmRegister(0xE0001004, "DDI 0403 C1.8, Cycle Count register", {}),
    "DWT_LAR": ArmRegister(
        0xE0001000 + 0xFB0,
        "IHI 0029, Lock Access Register",
        {"KEY": (0, 32)},
        value=0xC5ACCE55,
    ),
}
"""By the name that the manuals have."""

CMSDK_UART: Mapping[str, ArmRegister] = {
    "UART_DATA": ArmRegister(0x00, "DDI 0479 4.3, APB UART", {"DATA": (0, 8)}),
    "UART_STATE": ArmRegister(
        0x04, "DDI 0479 4.3, APB UART: buffers full", {"TXFULL": (0, 1), "RXFULL": (1, 1)}
    ),
    "UART_CTRL": ArmRegister(
        0x08,
        "DDI 0479 4.3, APB UART: transmit and receive enable, receive interrupt",
        {"TXEN": (0, 1), "RXEN": (1, 1), "RXINTEN": (3, 1)},
    ),
    "UART_INTCLEAR": ArmRegister(
        0x0C, "DDI 0479 4.3, APB UART: written, clears an interrupt", {"RX": (1, 1)}
    ),
    "UART_BAUDDIV": ArmRegister(0x10, "DDI 0479 4.3, APB UART: at least 16", {"MIN": (0, 20)}),
}
"""By the firmware's name: offset instead of address."""

SBCON: Mapping[str, int] = {"SBCON_CONTROL": 0x0, "SBCON_CONTROLS": 0x0, "SBCON_CONTROLC": 0x4}
"""Offsets in the two-wire interface of the FPGA images: the lines' state and set, clear."""
