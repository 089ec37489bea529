"""Faults of what is compared: samples whose labels are not true or that a detector can cheat on, and leaks.

``sets`` asks for each; ``outside`` with ``causes`` and ``blocks``, ``copies``, ``defects``, ``trivial`` and
``pictures`` know what to look for.
"""

from synthgen.validation.faults.pictures import shared_pictures
from synthgen.validation.faults.sets import set_faults

__all__ = ["set_faults", "shared_pictures"]
