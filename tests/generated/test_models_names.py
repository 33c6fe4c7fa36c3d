# nbs/models/10_names.ipynb: runs against the imported medvl.models.names.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Names of tensors
from collections.abc import Iterable

# %% [4] Names of tensors
import itertools, random, re
from fastcore.test import *

# %% [6] Names of tensors
from medvl.models.names import (_tree, _either, _folded, fold_names, say_names)

# %% [8] Names of tensors
two = [f'blocks.{i}.norm.{o}' for i in (0,1) for o in ('weight','bias')]
names = ['cls_token', *two, 'blocks.2.norm.weight', 'norm']
for k,n in fold_names(names): print(f'{n:3}  {k}')
test_eq(fold_names(names), [('{cls_token,norm}', 2), ('blocks.{0-1}.norm.{bias,weight}', 4),
                            ('blocks.2.norm.weight', 1)])
test_eq(say_names(['a.w']), 'a.w'); test_eq(say_names([]), '')
test_eq(say_names(f'b.{i}' for i in (3,4,5,9,10,12)), 'b.{3-5,9-10,12} (6)')
test_eq(say_names(['a', 'a.b']), 'a, a.b')                       # a name that is also the beginning of another

# %% [10] Names of tensors
def unfold(pattern):
    parts = [re.sub(r'[{}]', '', o).split(',') for o in re.findall(r'\{[^}]*\}|[^.{}]+', pattern)]
    def each(o): a, _, z = o.partition('-'); return [str(i) for i in range(int(a), int(z)+1)] if z else [a]
    return ['.'.join(o) for o in itertools.product(*([x for p in ps for x in each(p)] for ps in parts))]
test_eq(unfold('a.{0-1,3}.{w,b}'), ['a.0.w','a.0.b','a.1.w','a.1.b','a.3.w','a.3.b'])
rng = random.Random(0)
for _ in range(100):
    all_ = [f'{t}.{i}.{p}.{o}' for t in 'xy' for i in range(12) for p in ('attn','mlp') for o in ('weight','bias')]
    some = rng.sample(all_, rng.randint(1, len(all_)))+['cls', 'pos']
    got = fold_names(some)
    test_eq(sorted(n for k,_ in got for n in unfold(k)), sorted(some)); test_eq(sum(n for _,n in got), len(some))
full = fold_names(all_); test_eq(full, [('{x,y}.{0-11}.{attn,mlp}.{bias,weight}', 96)])
