"""Chips as far as booting firmware sees them: registers that answer as the manuals say.

Nothing is timed. What is modelled is which status bit follows which control bit, and what must hold
when the core changes over to its fast clock; each status can be stuck at what it is after reset, as
on a chip where that part is broken. Registers have the manuals' names, addresses come from
tests/registers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from . import registers

Read = Callable[["Chip"], tuple[int, int]]
"""Mask and value of the status bits of a register, from the state of the others."""


@dataclass
class Chip:
    """State of one chip while firmware runs on it."""

    model: Model
    broken: str = ""
    state: dict[int, int] = field(default_factory=dict)
    output: bytearray = field(default_factory=bytearray)
    complaints: list[str] = field(default_factory=list)
    memory: Callable[[int, int], bytes] = lambda address, count: b""

    def __getitem__(self, name: str) -> int:
        return self.get(self.model.addresses[name])

    def get(self, address: int) -> int:
        return self.state.get(address, self.model.reset.get(address, 0))

    def read(self, address: int) -> int:
        value = self.get(address)
        for name, rule in self.model.rules.get(address, ()):
            mask, bits = rule(self)
            if name and name == self.broken:
                bits = self.model.reset.get(address, 0) & mask
            value = (value & ~mask) | bits
        return value

    def write(self, address: int, value: int) -> None:
        before = self.get(address)
        self.state[address] = value
        self.model.on_write(self, address, before, value)

    def check(self, holds: bool, complaint: str) -> None:
        if not holds and complaint not in self.complaints:
            self.complaints.append(complaint)


class Model:
    """What is the same for every chip of one kind."""

    transmit = ""
    receive_idle: tuple[str, int] | None = None

    def __init__(self, chip: str, oscillator_hz: int) -> None:
        self.oscillator_hz = oscillator_hz
        self.addresses: dict[str, int] = {}
        for address, register in registers.load(chip).items():
            self.addresses[register.name.split(".")[1]] = address
            self.addresses[register.name] = address
            for name in registers.c_names(register.name):
                self.addresses.setdefault(name, address)
        self.rules: dict[int, list[tuple[str, Read]]] = {}
        self.reset: dict[int, int] = {}
        self.set_up()

    def set_up(self) -> None:
        raise NotImplementedError

    def clock_hz(self, chip: Chip) -> float:
        raise NotImplementedError

    def baud(self, chip: Chip) -> float:
        raise NotImplementedError

    def on_write(self, chip: Chip, address: int, before: int, value: int) -> None:
        if address == self.addresses[self.transmit]:
            chip.output.append(value & 0xFF)

    def rule(self, name: str, register: str, read: Read) -> None:
        self.rules.setdefault(self.addresses[register], []).append((name, read))

    def follows(self, name: str, register: str, ready: int, cause: str, on: int) -> None:
        """Bit `ready` of `register` is bit `on` of `cause`."""
        self.rule(name, register, lambda c: (1 << ready, (c[cause] >> on & 1) << ready))

    @property
    def names(self) -> list[str]:
        return [name for rules in self.rules.values() for name, _ in rules if name]


def bits(value: int, low: int, count: int) -> int:
    return value >> low & ((1 << count) - 1)


def prescaler(field_value: int) -> int:
    """STM32's APB prescalers: 0xx is 1, 100 to 111 are 2 to 16."""
    return 1 if field_value < 4 else 2 << (field_value - 4)


class Stm32(Model):
    switch = "RCC_CFGR"
    pll = 3
    bus_shift = 8

    def ready_to_switch(self, chip: Chip) -> None:
        raise NotImplementedError

    def common(self) -> None:
        shift = 3 if self.switch == "RCC_CFGR" and isinstance(self, Stm32h7) else 2
        mask = (1 << shift) - 1
        self.rule(
            "switch", self.switch, lambda c: (mask << shift, (c[self.switch] & mask) << shift)
        )
        if "USART_ISR" in self.addresses:
            self.transmit = "USART_TDR"
            self.rule("", "USART_ISR", lambda c: (0xFF, 0x80))
        else:
            self.transmit = "USART_DR"
            self.rule("", "USART_SR", lambda c: (0xFF, 0x80))

    def on_write(self, chip: Chip, address: int, before: int, value: int) -> None:
        super().on_write(chip, address, before, value)
        if address == self.addresses[self.switch] and value & 3 == self.pll != before & 3:
            self.ready_to_switch(chip)
        if address == self.addresses[self.transmit]:
            enable = chip["USART_CR1"]
            on = enable & 1 or (self.transmit == "USART_DR" and enable >> 13 & 1)
            chip.check(bool(on and enable >> 3 & 1), "sends before the UART is enabled")

    def running(self, chip: Chip) -> bool:
        return chip[self.switch] & 3 == self.pll


class Stm32f4(Stm32):
    pll = 2
    hsi_hz = 16_000_000
    power, state, wait_states = "PWR_CR", "PWR_CSR", 5

    def set_up(self) -> None:
        self.common()
        self.reset[self.addresses["RCC_CR"]] = 0x83
        self.reset[self.addresses[self.power]] = 0xC000
        self.follows("hse", "RCC_CR", 17, "RCC_CR", 16)
        self.follows("pll", "RCC_CR", 25, "RCC_CR", 24)
        self.follows("vos", self.state, 14, "RCC_CR", 24)
        self.follows("overdrive", self.state, 16, self.power, 16)
        self.follows("overdrive switch", self.state, 17, self.power, 17)
        self.rule("flash", "FLASH_ACR", lambda c: (15, c["FLASH_ACR"] & 15))

    def pll_hz(self, chip: Chip) -> float:
        pll = chip["RCC_PLLCFGR"]
        source = self.oscillator_hz if pll >> 22 & 1 else self.hsi_hz
        entry = source / bits(pll, 0, 6)
        vco = entry * bits(pll, 6, 9)
        chip.check(1e6 <= entry <= 2e6, "PLL input not in 1 to 2 MHz")
        chip.check(100e6 <= vco <= 432e6, "VCO not in 100 to 432 MHz")
        chip.check(vco / bits(pll, 24, 4) <= 48e6, "48 MHz output is faster")
        return vco / (2 * bits(pll, 16, 2) + 2)

    def ready_to_switch(self, chip: Chip) -> None:
        hz = self.pll_hz(chip)
        chip.check(bool(chip.read(self.addresses["RCC_CR"]) >> 25 & 1), "PLL not ready")
        chip.check(chip["FLASH_ACR"] & 15 >= self.wait_states, "too few wait states")
        for low, most in ((10, hz / 4), (13, hz / 2)):
            divided = hz / prescaler(bits(chip["RCC_CFGR"], low, 3))
            chip.check(divided <= most, "a peripheral bus is too fast")
        if hz > 168e6:
            chip.check(bits(chip[self.power], 14, 4) == 15, "no over-drive")

    def clock_hz(self, chip: Chip) -> float:
        return self.pll_hz(chip) if self.running(chip) else self.hsi_hz

    def baud(self, chip: Chip) -> float:
        return self.clock_hz(chip) / prescaler(bits(chip["RCC_CFGR"], 10, 3)) / chip["USART_BRR"]


class Stm32f7(Stm32f4):
    power, state, wait_states = "PWR_CR1", "PWR_CSR1", 7


class Stm32h7(Stm32):
    def set_up(self) -> None:
        self.common()
        self.reset[self.addresses["RCC_CR"]] = 1
        self.reset[self.addresses["DBGMCU_IDCODE"]] = 0x2003_6450
        self.reset[self.addresses["PWR_CR3"]] = 6
        self.reset[self.addresses["FLASH_ACR"]] = 0x37
        self.reset[self.addresses["PWR_D3CR"]] = 0x4000
        self.follows("hse", "RCC_CR", 17, "RCC_CR", 16)
        self.follows("pll", "RCC_CR", 25, "RCC_CR", 24)
        self.rule("supply", "PWR_CSR1", lambda c: (1 << 13, bits(c["PWR_CR3"], 1, 1) << 13))
        self.rule("vos", "PWR_D3CR", lambda c: (1 << 13, 1 << 13))
        self.rule("flash", "FLASH_ACR", lambda c: (15, c["FLASH_ACR"] & 15))

    def pll_hz(self, chip: Chip) -> float:
        select, divide = chip["RCC_PLLCKSELR"], chip["RCC_PLL1DIVR"]
        assert select & 3 == 2
        entry = self.oscillator_hz / bits(select, 4, 6)
        chip.check(4e6 <= entry <= 8e6, "PLL input not in 4 to 8 MHz")
        chip.check(bits(chip["RCC_PLLCFGR"], 1, 3) == 2 << 1, "wrong VCO range")
        vco = entry * (bits(divide, 0, 9) + 1)
        chip.check(192e6 <= vco <= 960e6, "VCO not in 192 to 960 MHz")
        return vco / (bits(divide, 9, 7) + 1)

    def ready_to_switch(self, chip: Chip) -> None:
        hz = self.pll_hz(chip)
        chip.check(bool(chip["RCC_PLLCFGR"] >> 16 & 1), "PLL output P is off")
        chip.check(bits(chip["PWR_D3CR"], 14, 2) == 3, "not VOS1")
        chip.check(chip["FLASH_ACR"] & 15 >= 4, "too few wait states")
        chip.check(bits(chip["RCC_D1CFGR"], 0, 4) == 8 and hz <= 480e6, "AHB above 240 MHz")
        apbs = (("RCC_D1CFGR", 4), ("RCC_D2CFGR", 4), ("RCC_D2CFGR", 8), ("RCC_D3CFGR", 4))
        for register, low in apbs:
            chip.check(prescaler(bits(chip[register], low, 3)) >= 2, "an APB above 120 MHz")
        if hz > 400e6:
            chip.check(bool(chip["SYSCFG_PWRCR"] & 1), "not VOS0")
            chip.check(bool(chip["RCC_APB4ENR"] & 2), "SYSCFG without a clock")
            chip.check(chip["DBGMCU_IDCODE"] >> 16 >= 0x2003, "an old revision above 400 MHz")

    def clock_hz(self, chip: Chip) -> float:
        return self.pll_hz(chip) if chip["RCC_CFGR"] & 7 == 3 else 64e6

    def baud(self, chip: Chip) -> float:
        ahb = self.clock_hz(chip) / (2 if chip["RCC_D1CFGR"] & 8 else 1)
        return ahb / prescaler(bits(chip["RCC_D2CFGR"], 4, 3)) / chip["USART_BRR"]


class Stm32l4(Stm32):
    def set_up(self) -> None:
        self.common()
        self.reset[self.addresses["RCC_CR"]] = 0x63
        self.reset[self.addresses["PWR_CR1"]] = 0x200
        if "PWR_CR5" in self.addresses:
            self.reset[self.addresses["PWR_CR5"]] = 0x100
        self.follows("pll", "RCC_CR", 25, "RCC_CR", 24)
        self.rule("vos", "PWR_SR2", lambda c: (1 << 10, 0))
        self.reset[self.addresses["PWR_SR2"]] = 1 << 10
        self.rule("flash", "FLASH_ACR", lambda c: (15, c["FLASH_ACR"] & 15))

    def pll_hz(self, chip: Chip) -> float:
        pll = chip["RCC_PLLCFGR"]
        assert pll & 3 == 1 and pll >> 24 & 1
        vco = self.oscillator_hz / (bits(pll, 4, 3) + 1) * bits(pll, 8, 7)
        chip.check(64e6 <= vco <= 344e6, "VCO not in 64 to 344 MHz")
        return vco / (2 * bits(pll, 25, 2) + 2)

    def ready_to_switch(self, chip: Chip) -> None:
        hz = self.pll_hz(chip)
        chip.check(bits(chip["PWR_CR1"], 9, 2) == 1, "not range 1")
        chip.check(chip["FLASH_ACR"] & 15 >= (5 if hz > 80e6 else 4), "too few wait states")
        if hz > 80e6:
            chip.check(not chip["PWR_CR5"] >> 8 & 1, "no boost mode")
            chip.check(bits(chip["RCC_CFGR"], 4, 4) == 8, "AHB not halved for the switch")

    def clock_hz(self, chip: Chip) -> float:
        divider = 2 if chip["RCC_CFGR"] >> 4 & 8 else 1
        return (self.pll_hz(chip) if self.running(chip) else 4e6) / divider

    def baud(self, chip: Chip) -> float:
        low_power = self.addresses["USART_BRR"] == 0x4000800C
        if low_power:
            chip.check(bool(chip["PWR_CR2"] >> 9 & 1), "port G has no supply")
        return self.clock_hz(chip) * (256 if low_power else 1) / chip["USART_BRR"]


class Stm32u5(Stm32):
    switch = "RCC_CFGR1"

    def set_up(self) -> None:
        self.common()
        self.rule("vos", "PWR_VOSR", lambda c: (1 << 15, 1 << 15))
        self.follows("booster", "PWR_VOSR", 14, "PWR_VOSR", 18)
        self.follows("pll", "RCC_CR", 25, "RCC_CR", 24)
        self.rule("flash", "FLASH_ACR", lambda c: (15, c["FLASH_ACR"] & 15))
        self.reset[self.addresses["ICACHE_SR"]] = 1
        self.rule("icache", "ICACHE_SR", lambda c: (1, 0))

    def pll_hz(self, chip: Chip) -> float:
        configuration, divide = chip["RCC_PLL1CFGR"], chip["RCC_PLL1DIVR"]
        assert configuration & 3 == 1 and configuration >> 18 & 1
        entry = self.oscillator_hz / (bits(configuration, 8, 4) + 1)
        vco = entry * (bits(divide, 0, 9) + 1)
        chip.check(4e6 <= entry <= 8e6 and bits(configuration, 2, 2) < 3, "wrong input range")
        chip.check(128e6 <= vco <= 544e6, "VCO not in 128 to 544 MHz")
        return vco / (bits(divide, 24, 7) + 1)

    def ready_to_switch(self, chip: Chip) -> None:
        self.pll_hz(chip)
        chip.check(bits(chip["PWR_VOSR"], 16, 3) == 7, "not range 1 with the booster")
        chip.check(chip["FLASH_ACR"] & 15 >= 4, "too few wait states")

    def clock_hz(self, chip: Chip) -> float:
        return self.pll_hz(chip) if self.running(chip) else 4e6

    def baud(self, chip: Chip) -> float:
        return self.clock_hz(chip) / chip["USART_BRR"]


class Nrf52(Model):
    transmit = "UART_TXD"

    def set_up(self) -> None:
        self.follows("hfxo", "EVENTS_HFCLKSTARTED", 0, "TASKS_HFCLKSTART", 0)
        self.rule("", "EVENTS_TXDRDY", lambda c: (1, 1))

    def on_write(self, chip: Chip, address: int, before: int, value: int) -> None:
        super().on_write(chip, address, before, value)
        if address == self.addresses[self.transmit]:
            chip.check(chip["UART_ENABLE"] == 4, "the UART is off")
            chip.check(chip["UART_TASKS_STARTTX"] == 1, "sending was not started")

    def clock_hz(self, chip: Chip) -> float:
        return 64e6

    def baud(self, chip: Chip) -> float:
        return chip["UART_BAUDRATE"] * 16e6 / 2**32


class Nrf53(Model):
    def set_up(self) -> None:
        self.reset[self.addresses["HFCLKCTRL"]] = 1
        self.reset[self.addresses["UICR_APPROTECT"]] = 0x50FA50FA
        self.reset |= {a: 0xFFFFFFFF for a in range(0x00FF0300, 0x00FF0400, 4)}
        self.reset |= {0x00FF0300: 0x50004100, 0x00FF0304: 0x1234, 0x50004100: 0}
        self.follows("hfxo", "EVENTS_HFCLKSTARTED", 0, "TASKS_HFCLKSTART", 0)

    def on_write(self, chip: Chip, address: int, before: int, value: int) -> None:
        if address == self.addresses["UARTE_TASKS_STARTTX"] and value:
            chip.check(chip["UARTE_ENABLE"] == 8, "the UART is off")
            start, count = chip["UARTE_TXD_PTR"], chip["UARTE_TXD_MAXCNT"]
            chip.check(start >> 28 == 2, "DMA reads RAM only")
            chip.output.extend(chip.memory(start, count))
            chip.state[self.addresses["UARTE_EVENTS_ENDTX"]] = 1

    def clock_hz(self, chip: Chip) -> float:
        chip.check(chip.get(0x50004100) == 0x1234, "the trim values are not in place")
        chip.check(chip["CTRLAP_APPROTECT_DISABLE"] == 0x50FA50FA, "the debug port gets locked")
        chip.check(chip["CACHE_ENABLE"] == 1, "the cache is off")
        return 128e6 / (chip["HFCLKCTRL"] + 1)

    def baud(self, chip: Chip) -> float:
        return chip["UARTE_BAUDRATE"] * 16e6 / 2**32


class Rp2(Model):
    transmit = "UART_UARTDR"

    def set_up(self) -> None:
        self.reset[self.addresses["RESETS.RESET"]] = 0xFFFFFFFF
        self.reset[self.addresses["PLL_SYS_PWR"]] = 0x2D
        self.rule(
            "reset",
            "RESET_DONE",
            lambda c: (0xFFFFFFFF, ~c["RESETS.RESET"] & 0xFFFFFFFF),
        )
        self.rule("xosc", "XOSC_STATUS", lambda c: (1 << 31, int(self.crystal(c)) << 31))
        self.rule("pll", "PLL_SYS_CS", lambda c: (1 << 31, int(not c["PLL_SYS_PWR"] & 0x21) << 31))
        self.selects("ref", "CLOCKS_CLK_REF", 3)
        self.selects("sys", "CLOCKS_CLK_SYS", 1)
        if "SSI.SR" in self.addresses:
            self.rule("", "SSI.SR", lambda c: (5, 4))

    def selects(self, name: str, clock: str, mask: int) -> None:
        self.rule(name, f"{clock}_SELECTED", lambda c: (0xF, 1 << (c[f"{clock}_CTRL"] & mask)))

    def crystal(self, chip: Chip) -> bool:
        return bits(chip["XOSC_CTRL"], 12, 12) == 0xFAB and chip["XOSC_CTRL"] & 0xFFF == 0xAA0

    def on_write(self, chip: Chip, address: int, before: int, value: int) -> None:
        super().on_write(chip, address, before, value)
        if address == self.addresses["CLOCKS_CLK_SYS_CTRL"] and value & 1 and not before & 1:
            chip.check(value & ~1 == before & ~1, "the source changes while the mux does")
            chip.check(not chip["PLL_SYS_PWR"] & 0x29, "PLL or post dividers are off")
        if address == self.addresses[self.transmit]:
            chip.check(chip["UART_UARTCR"] & 0x301 == 0x301, "the UART is off")
            chip.check(chip["CLOCKS_CLK_PERI_CTRL"] & 0x8E0 == 0x800, "clk_peri is off")
            iso = [a for a in self.addresses if a.startswith("PADS_BANK0.GPIO")]
            chip.check(not any(chip[a] >> 8 & 1 for a in iso), "a pad is isolated")

    def clock_hz(self, chip: Chip) -> float:
        if chip["CLOCKS_CLK_SYS_CTRL"] & 1:
            post = chip["PLL_SYS_PRIM"]
            vco = 12e6 / (chip["PLL_SYS_CS"] & 63) * chip["PLL_SYS_FBDIV_INT"]
            chip.check(750e6 <= vco <= 1600e6, "VCO not in 750 to 1600 MHz")
            return vco / bits(post, 16, 3) / bits(post, 12, 3)
        return 12e6 if chip.read(self.addresses["CLOCKS_CLK_REF_SELECTED"]) & 4 else 6.5e6

    def baud(self, chip: Chip) -> float:
        divider = chip["UART_UARTIBRD"] * 64 + chip["UART_UARTFBRD"]
        return self.clock_hz(chip) * 4 / divider


class Imxrt(Model):
    transmit = "LPUART_DATA"

    def set_up(self) -> None:
        self.reset |= {
            self.addresses["CCM_CBCDR"]: 0x000A8300,  # as the boot ROM may leave them
            self.addresses["CCM_CBCMR"]: 0x2DAE8324,
            self.addresses["DCDC_REG3"]: 0x0E,
        }
        self.rule("dcdc", "DCDC_REG0", lambda c: (1 << 31, 1 << 31))
        self.rule("pll", "PLL_ARM", lambda c: (1 << 31, int(bits(c["PLL_ARM"], 12, 2) == 2) << 31))
        self.reset[self.addresses["CCM_CDHIPR"]] = 1 << 16 | 1 << 5 | 1 << 1
        self.rule("switch", "CCM_CDHIPR", lambda c: (1 << 5, 0))
        self.rule("divider", "CCM_CDHIPR", lambda c: (1 << 16 | 1 << 1, 0))
        self.rule("", "LPUART_STAT", lambda c: (0xFFFFFFFF, 1 << 23))

    def on_write(self, chip: Chip, address: int, before: int, value: int) -> None:
        super().on_write(chip, address, before, value)
        from_crystal = chip["CCM_CBCDR"] >> 25 & 1
        if address == self.addresses["PLL_ARM"]:
            chip.check(bool(from_crystal), "the ARM PLL changes under the core")
        if address == self.addresses["CCM_CBCDR"] and before >> 25 & 1 and not value >> 25 & 1:
            chip.check(chip["DCDC_REG3"] & 31 >= 18, "VDD_SOC below 1.25 V")
            chip.check(bits(chip["CCM_CBCMR"], 18, 2) == 3, "not from the ARM PLL")
            hz = self.pll_hz(chip)
            chip.check(hz <= 600e6 and hz / (bits(value, 8, 2) + 1) <= 150e6, "too fast")
        if address == self.addresses[self.transmit]:
            chip.check(bits(chip["CCM_CCGR3"], 6, 2) == 3, "LPUART6 has no clock")
            chip.check(bool(chip["LPUART_CTRL"] >> 19 & 1), "the UART is off")

    def pll_hz(self, chip: Chip) -> float:
        pll = 24e6 * (chip["PLL_ARM"] & 127) / 2
        return pll / (chip["CCM_CACRR"] + 1) / (bits(chip["CCM_CBCDR"], 10, 3) + 1)

    def clock_hz(self, chip: Chip) -> float:
        if chip.read(self.addresses["CCM_CDHIPR"]) >> 5 & 1:
            return 396e6  # the switch away from the ROM's clock does not end
        if chip["CCM_CBCDR"] >> 25 & 1:
            return 24e6
        return self.pll_hz(chip) if chip["PLL_ARM"] else 396e6

    def baud(self, chip: Chip) -> float:
        select = chip["CCM_CSCDR1"]
        chip.check(select & 0x7F == 0x40, "the UART does not run from the crystal")
        baud = chip["LPUART_BAUD"]
        return 24e6 / (bits(baud, 24, 5) + 1) / bits(baud, 0, 13)


MODELS: Mapping[str, type[Model]] = {
    "stm32f4": Stm32f4,
    "stm32f7": Stm32f7,
    "stm32h7": Stm32h7,
    "stm32l4": Stm32l4,
    "stm32u5": Stm32u5,
    "nrf52": Nrf52,
    "nrf53": Nrf53,
    "rp2": Rp2,
    "imxrt1062": Imxrt,
}
"""By the board file's `soc`."""
