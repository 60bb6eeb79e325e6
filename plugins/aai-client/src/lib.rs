//! Built-in plugin: declares login clients and wires workloads to them.
