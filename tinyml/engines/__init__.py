"""The engines: each turns a graph into C sources with the same firmware interface."""
