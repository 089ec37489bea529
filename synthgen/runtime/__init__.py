"""Processes, threads, devices, memory and versions."""
