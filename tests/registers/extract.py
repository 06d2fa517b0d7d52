"""Cuts a vendor's SVD file or C headers down to the registers that firmware/soc uses.

    python -m tests.registers.extract CHIP "SOURCE, LICENCE" FILE...

writes CHIP.json beside this file. Several headers are read as one.
"""

from __future__ import annotations

import json
import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

from tinyml.board import load_board

from . import CHIPS, EXTRA, FOLDER, Register, c_names, used

Described = dict[int, list[Register]]
"""By address; more than one where peripherals share it."""


def number(text: str) -> int:
    text = text.strip().lower()
    if text.startswith("#"):
        return int(text[1:].replace("x", "0"), 2)
    return int(text, 0) if text.startswith("0x") else int(text)


def svd(content: bytes, wanted: frozenset[str] | None = None) -> Described:
    """Every register of an SVD file, or of its peripherals `wanted`."""
    peripherals = {_text(p, "name"): p for p in ET.fromstring(content).iter("peripheral")}
    found: Described = {}
    for name, peripheral in peripherals.items():
        if wanted is not None and name not in wanted:
            continue
        base = number(_text(peripheral, "baseAddress"))
        source = peripheral
        while source.find("registers") is None and source.get("derivedFrom"):
            source = peripherals[source.get("derivedFrom", "")]
        registers = source.find("registers")
        for label, offset, fields in _registers(registers, 0) if registers is not None else ():
            found.setdefault(base + offset, []).append(Register(f"{name}.{label}", fields))
    return found


def _text(element: ET.Element, key: str, default: str = "") -> str:
    return (element.findtext(key) or default).strip()


def _copies(element: ET.Element) -> Iterator[tuple[str, int]]:
    """Name and distance of each copy of a register, cluster or field (SVD's `dim`)."""
    name = _text(element, "name")
    if element.find("dim") is None:
        yield name, 0
        return
    count, step = number(_text(element, "dim")), number(_text(element, "dimIncrement"))
    labels = _text(element, "dimIndex") or ",".join(map(str, range(count)))
    if found := re.fullmatch(r"(\d+)-(\d+)", labels):
        labels = ",".join(map(str, range(int(found[1]), int(found[2]) + 1)))
    for i, label in enumerate(labels.split(",")):
        yield name.replace("[%s]", label).replace("%s", label), i * step


def _registers(
    parent: ET.Element, base: int
) -> Iterator[tuple[str, int, dict[str, tuple[int, int]]]]:
    for element in parent:
        if element.tag not in ("register", "cluster"):
            continue
        offset = base + number(_text(element, "addressOffset"))
        for name, distance in _copies(element):
            if element.tag == "register":
                yield name, offset + distance, _joined(_fields(element))
            else:
                for label, at, fields in _registers(element, offset + distance):
                    yield f"{name}_{label}", at, fields


def _fields(register: ET.Element) -> dict[str, tuple[int, int]]:
    fields = {}
    for element in register.iter("field"):
        if element.find("bitOffset") is not None:
            low = number(_text(element, "bitOffset"))
            bits = number(_text(element, "bitWidth", "1"))
        elif element.find("lsb") is not None:
            low = number(_text(element, "lsb"))
            bits = number(_text(element, "msb")) - low + 1
        else:
            high, low = map(int, _text(element, "bitRange")[1:-1].split(":"))
            bits = high - low + 1
        for name, distance in _copies(element):
            fields[name] = (low + distance, bits)
    return fields


def _joined(fields: dict[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    """The fields of which ST's F4 and F7 files describe each bit (PLLM0, PLLM1, ...) as one."""
    joined = dict(fields)
    for stem in ("PLLM", "PLLN", "PLLP", "PLLQ", "SW", "SWS"):
        parts = [name for name in fields if re.fullmatch(rf"{stem}\d", name)]
        if len(parts) > 1 and stem not in fields:
            joined[stem] = (min(fields[name][0] for name in parts), len(parts))
            for name in parts:
                del joined[name]
    return joined


def st_header(text: str) -> Described:
    """A CMSIS device header of ST: structs, base addresses, `_Pos` and `_Msk` pairs."""
    text = re.sub(r"/\*.*?\*/", lambda m: m[0] if "offset" in m[0] else "", text, flags=re.DOTALL)
    bases = dict(re.findall(r"^#define\s+(\w+_BASE)\s+(\(.*?\)|\w+)\s*$", text, re.MULTILINE))
    positions = dict(re.findall(r"^#define\s+(\w+)_Pos\s+\((\d+)U\)", text, re.MULTILINE))
    masks = dict(re.findall(r"^#define\s+(\w+)_Msk\s+\((0x[0-9A-F]+)UL <<", text, re.MULTILINE))
    structs = {
        name: re.findall(r"\b(\w+)(\[\d+\])?;\s*/\*.*?[Oo]ffset:?\s*(0x[0-9A-Fa-f]+)", body)
        for body, name in re.findall(r"struct\s*\{([^{}]*)\}\s*(\w+)_TypeDef;", text)
    }
    found: Described = {}
    instances = re.findall(r"^#define\s+(\w+)\s+\(\((\w+)_TypeDef \*\)\s*(\w+)\)", text, re.M)
    for peripheral, struct, base in instances:
        start = _address(bases[base], bases)
        for register, array, offset in structs.get(struct, ()):
            labels = ("AFRL", "AFRH") if register == "AFR" and array else (register,)
            for i, label in enumerate(labels):
                prefix = f"{struct}_{label}_"
                fields = _without_values(
                    {
                        n[len(prefix) :]: (int(positions[n]), int(masks[n], 16).bit_length())
                        for n in positions
                        if n.startswith(prefix) and n in masks
                    }
                )
                address = start + int(offset, 16) + 4 * i
                found.setdefault(address, []).append(Register(f"{peripheral}.{label}", fields))
    return found


def _without_values(fields: dict[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    """ST's headers give the values of a field in the way of fields: HPRE, then HPRE_DIV2."""
    return {
        name: place
        for name, place in fields.items()
        if not any(name.startswith(f"{other}_") for other in fields)
    }


def _address(expression: str, bases: dict[str, str]) -> int:
    total = 0
    for part in expression.strip("()").split("+"):
        name = part.strip().removesuffix("UL").removesuffix("U")
        total += _address(bases[name], bases) if name in bases else int(name, 16)
    return total


def pico_headers(texts: list[str]) -> Described:
    """Raspberry Pi's hardware/regs headers: `_OFFSET`, and `_MSB` and `_LSB` of each field."""
    text = "\n".join(texts)
    defines = dict(re.findall(r"^#define (\w+)\s+_u\((\w+)\)", text, re.MULTILINE))
    offsets = {n.removesuffix("_OFFSET"): int(v, 0) for n, v in defines.items() if "_OFFSET" in n}
    bases = {n.removesuffix("_BASE"): int(v, 0) for n, v in defines.items() if n.endswith("_BASE")}
    found: Described = {}
    for peripheral, base in bases.items():
        block = re.sub(r"_SYS$|_USB$|(?<=UART)\d$", "", peripheral)
        for register, offset in offsets.items():
            if not register.startswith(f"{block}_"):
                continue
            fields = {
                name[len(register) + 1 : -4]: (
                    int(low, 0),
                    int(defines[f"{name[:-4]}_MSB"], 0) - int(low, 0) + 1,
                )
                for name, low in defines.items()
                if name.startswith(f"{register}_") and name[len(register) + 1 :] not in ("", "LSB")
                if name.endswith("_LSB")
            }
            label = register.removeprefix(f"{block}_")
            if not fields and f"{register}_LSB" in defines:  # one field, without a name
                low, high = int(defines[f"{register}_LSB"], 0), int(defines[f"{register}_MSB"], 0)
                fields = {label: (low, high - low + 1)}
            found.setdefault(base + offset, []).append(Register(f"{peripheral}.{label}", fields))
    return found


def read(files: list[Path]) -> Described:
    if files[0].suffix in (".svd", ".xml"):
        return svd(files[0].read_bytes())
    texts = [file.read_text(encoding="latin-1") for file in files]
    return st_header(texts[0]) if "_TypeDef" in texts[0] else pico_headers(texts)


def main(chip: str, source: str, *files: str) -> None:
    described = read([Path(file) for file in files])
    chosen: dict[int, Register] = {}
    names = dict.fromkeys(EXTRA.get(chip, ()), "")
    for board, name in CHIPS.items():
        if name == chip:
            uses = used(load_board(board)).registers.items()
            names |= {address: macro for macro, group in uses for address in group}
    missing = [
        f"{macro} {address:08X}" for address, macro in names.items() if address not in described
    ]
    if missing:
        sys.exit(f"{chip}: not described: {', '.join(missing)}")
    for address, macro in sorted(names.items()):
        alike = [r for r in described[address] if macro in c_names(r.name)]
        chosen[address] = (alike or described[address])[0]
    lines = [
        f"  {json.dumps(f'{a:08X}')}: {json.dumps([r.name, r.fields])}" for a, r in chosen.items()
    ]
    text = f'{{"source": {json.dumps(source)},\n "registers": {{\n' + ",\n".join(lines) + "\n}}\n"
    (FOLDER / f"{chip}.json").write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
