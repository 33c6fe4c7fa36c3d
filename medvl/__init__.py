"""Modules:

- `medvl.data.image`: DICOM, PNG or JPEG in; one grey float picture `[1 h w]` in [0,1] out, bones white, and a dictionary that says how it was made.
- `medvl.data.manifest`: One table that any set of films can be written as: what its columns mean, how it is read, written, made from a folder, and summed up.
- `medvl.data.study`: What was taken of one patient at one time: films, a report, what is known of it. Then time (the prior), fairness (splits by patient) and suspicion (leakage).
- `medvl.data.table`: Reading and writing tables so that nothing is lost in between, and a log that says what was found, what was left out, and why."""

from importlib.metadata import PackageNotFoundError, version as _v

try: __version__ = _v('medvl')
except PackageNotFoundError: __version__ = '0+source'  # imported from a checkout that is not installed
