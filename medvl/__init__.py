"medvl: medical vision-language alignment for chest radiographs and their reports. Research software, not for clinical use."
from importlib.metadata import PackageNotFoundError, version as _v

try: __version__ = _v('medvl')
except PackageNotFoundError: __version__ = '0+source'  # imported from a checkout that is not installed
