"""The sections of the report, one module each; gfr/report/contents.py has their order."""
