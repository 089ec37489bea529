"""The page of a validation: HTML with plots, the same as Markdown, and what the terminal prints.

What is said stands in ``results``, ``real``, ``synthesized`` and ``particulars`` as sections of ``content``;
the writers only give it a form.
"""

from synthgen.validation.page.html import html
from synthgen.validation.page.markdown import markdown
from synthgen.validation.page.terminal import summary

__all__ = ["html", "markdown", "summary"]
