"""Byte-level emulators of instruments: independent of the drivers that they test."""
