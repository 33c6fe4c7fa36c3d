# nbs/tutorials/results.ipynb: exports nothing; its cells run as they are.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [2] Results
from IPython.display import Markdown
from medvl.eval.results import result_files, summary

# %% [3] Results
Markdown(summary(result_files('../../results'), up='../'))
