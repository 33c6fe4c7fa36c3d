# nbs/models/30_adapters.ipynb: runs against the imported medvl.models.adapters.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Adapters
from fnmatch import fnmatchcase
import pandas as pd
from jaxtyping import Float
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn
from torch.nn import functional as F
from medvl.core import MedvlError
from medvl.models.text import TextTower
from medvl.models.vision import VisionTower

# %% [4] Adapters
import copy
import matplotlib.pyplot as plt
import torch
from fastcore.test import *
from medvl.core import seed_everything
_ = seed_everything(1)

# %% [6] Freezing and unfreezing by name
from medvl.models.adapters import (freeze, unfreeze)

# %% [7] Freezing and unfreezing by name
tower = freeze(VisionTower('vit_small_cpu'))
names = unfreeze(tower, ['net.norm.*', 'net.blocks.*.norm?.weight'])
test_eq(len(names), 2 + 6*2)  # weight and bias of the last norm, and two weights in each of six blocks
test_eq({k for k,p in tower.named_parameters() if p.requires_grad}, set(names))
assert 'net.pos_embed' not in unfreeze(tower, '*')
test_fail(lambda: unfreeze(tower, 'net.block.*'), contains="'net.block.*'; names are like net.cls_token")
test_fail(lambda: unfreeze(tower, '*pos_embed'), contains='fixed table, which never trains: net.pos_embed')

# %% [9] Counting
from medvl.models.adapters import (trainable, param_table)

# %% [10] Counting
toy = nn.ModuleDict(dict(a=nn.Linear(3,2), b=nn.Linear(2,2))); toy.a.bias.requires_grad_(False)
t = param_table(toy)
test_eq(t.loc['a'].tolist(), [8, 6, .75]); test_eq(t.loc['all'].tolist(), [14, 12, 12/14]); test_eq(trainable(toy), 12)
toy.b.weight = nn.Parameter(torch.zeros(2,2)); toy['c'] = nn.Linear(2,2, bias=False); toy.c.weight = toy.b.weight
test_eq(param_table(toy).loc['all','parameters'], 14)  # tied: counted once

# %% [12] The bottleneck
from medvl.models.adapters import (Adapter)

# %% [14] The bottleneck
test_eq(trainable(Adapter(768)), 768*192 + 192 + 192*768 + 768); test_eq(trainable(Adapter(768)), 295_872)
test_eq(Adapter(768)(torch.randn(2,5,768)).abs().max().item(), 0.)
one = Adapter(4, scale=.5)
for p in (one.down.weight, one.up.weight): nn.init.ones_(p)
test_close(one(torch.ones(1,4)), .5*F.gelu(torch.full((1,4), 4.)), eps=1e-6)
a = Adapter(768, init_up='normal'); assert all(.018 < w.std() < .022 for w in (a.up.weight, a.down.weight))
test_fail(lambda: Adapter(8, init_up='ones'), contains="got 'ones'")
test_fail(lambda: Adapter(3), contains='leaves nothing of a width of 3')

# %% [16] Where they sit
new, old = '#ffd9a0', '#dde7f3'
def box(x, y, s, c): ax.text(x, y, s, ha='center', va='center', fontsize=9, bbox=dict(boxstyle='round', fc=c, ec='.4'))
def arrow(*pts):
    for a,b in zip(pts, pts[1:]):
        style = dict(arrowstyle='-|>' if b is pts[-1] else '-', color='.4', shrinkA=0, shrinkB=0)
        ax.annotate('', b, a, arrowprops=style)
blocks = {  # steps from below; where the parallel adapter leaves and joins; where the skips do
    'ViT block': (['LN', 'attention', '+ A₁ (own skip)', '+', 'LN', 'FFN', '+', '+'], (4.5,6), [(-.5,3), (3.5,7)]),
    'BERT block': (['attention', '+', 'LN', '+ A₁ (own skip)', 'FFN', '+', 'LN', '+'], (3.5,7), [(-.5,1), (3.5,5)])}
fig, axs = plt.subplots(1, 2, figsize=(8.2,4), dpi=75, layout='constrained')
for ax, (title, (steps, (lo,hi), skips)) in zip(axs, blocks.items()):
    for i,s in enumerate(steps): box(0, i, s, new if 'A₁' in s else old if s != '+' else 'w')
    for i in range(len(steps)): arrow((0,i-.75), (0,i-.25))
    for a,b in skips: arrow((0,a), (-1,a), (-1,b), (-.12,b))
    arrow((0,lo), (1.3,lo), (1.3,hi), (.12,hi)); box(1.3, (lo+hi)/2, '½ A₂', new)
    ax.set(title=title, xlim=(-1.8,2.2), ylim=(-.9,7.6)); ax.axis('off')

# %% [18] Where they sit
from medvl.models.adapters import (_serial, _parallel, _sites, add_adapters)

# %% [20] Nothing changes at the start
towers = dict(vision=(VisionTower('vit_small_cpu').eval(), torch.randn(2,1,224,224)),
              text=(TextTower('bert-small', vocab_size=50).eval(), torch.randint(5, 50, (2,9))))
plain = {k: copy.deepcopy(t) for k,(t,_) in towers.items()}
for k,(t,x) in towers.items():
    new = add_adapters(freeze(t))
    with torch.no_grad(): assert torch.equal(t(x).loc, plain[k](x).loc) and torch.equal(t(x).glob, plain[k](x).glob)
    test_eq(len(new), 2*len(_sites(t))); test_eq(trainable(t), sum(trainable(a) for a in new))
    had, has = plain[k].state_dict(), t.state_dict()
    assert set(had) < set(has) and all('.adapter.' in n for n in set(has)-set(had))  # names are added, none renamed
    print(next(n for n in has if 'adapter' in n))
test_fail(lambda: add_adapters(t), contains='has adapters already')

# %% [22] The formulas, written out
for t,_ in towers.values():
    for n,p in t.named_parameters():
        if '.adapter.' in n: nn.init.normal_(p, std=.1)
b, x = towers['vision'][0].net.blocks[0], torch.randn(2,5,192)
with torch.no_grad():
    m = b.attn.proj(b.attn.proj_drop(torch.cat([nn.functional.scaled_dot_product_attention(q, k, v) for q,k,v in
        b.attn.qkv(b.norm1(x)).view(2,5,3,3,64).permute(2,3,0,1,4).unbind(1)], dim=-1)))  # 3 heads of 64
    y = x + m + b.attn.adapter.up(F.gelu(b.attn.adapter.down(m)))
    h = b.norm2(y)
    y = y + b.mlp.fc2(F.gelu(b.mlp.fc1(h))) + .5*b.mlp.adapter.up(F.gelu(b.mlp.adapter.down(h)))
    test_close(b(x), y, eps=1e-4)

# %% [23] The formulas, written out
l, x = towers['text'][0].encoder.encoder.layer[0], torch.randn(2,5,192)
o, A = l.attention.output, lambda ad, z: ad.up(F.gelu(ad.down(z)))
with torch.no_grad():
    a = o.LayerNorm(x + o.dense(l.attention.self(x)[0]))
    a = a + A(o.adapter, a)
    y = l.output.LayerNorm(a + l.output.dense(F.gelu(l.intermediate.dense(a)))) + .5*A(l.output.adapter, a)
    test_close(l(x), y, eps=1e-4)

# %% [25] Copies, checkpointing and plain checkpoints
for k,(t,x) in towers.items():
    before = t(x).glob.detach()
    twin = copy.deepcopy(t)
    for n,p in twin.named_parameters():
        if '.adapter.' in n: nn.init.zeros_(p)
    with torch.no_grad():
        assert torch.equal(t(x).glob, before) and not torch.allclose(before, plain[k](x).glob, atol=1e-3)
        test_close(twin(x).glob, plain[k](x).glob, eps=1e-6)  # silent again
    gone = t.load_state_dict(plain[k].state_dict(), strict=False)
    test_eq(gone.unexpected_keys, []); assert all('.adapter.' in n for n in gone.missing_keys)

# %% [26] Copies, checkpointing and plain checkpoints
def grads(t, x):
    t.zero_grad(); t(x).glob.square().sum().backward()
    return {n: p.grad.clone() for n,p in t.named_parameters() if p.grad is not None}
for k,(t,x) in towers.items():
    t = copy.deepcopy(t); g = grads(t, x)
    test_eq(set(g), {n for n in dict(t.named_parameters()) if '.adapter.' in n})  # gradients reach the adapters only
    t.net.set_grad_checkpointing(True) if k == 'vision' else t.net.activation_checkpointing_enable()
    t.train()
    for m in t.modules():
        if isinstance(m, nn.Dropout): m.p = 0.
    for m in [l.attention.self for l in t.encoder.encoder.layer] if k == 'text' else []: m.dropout.p = 0.
    for n,v in grads(t, x).items(): test_close(v, g[n], eps=1e-3)

# %% [28] The table at full size
with torch.device('meta'):
    pair = nn.ModuleDict(dict(vision=freeze(VisionTower('alta')), text=freeze(TextTower('cxr-bert', mlm=True))))
    for t in pair.values(): test_eq(sum(trainable(a) for a in add_adapters(t)), 7_100_928)
table = param_table(pair)
test_eq(table.parameters.tolist()[:2], [85_798_656 + 7_100_928, 109_514_298 + 7_100_928])
table.style.format(dict(parameters='{:,.0f}', trainable='{:,.0f}', share='{:.2%}'))

# %% [30] The classic mistake
late = VisionTower('vit_small_cpu'); add_adapters(late); freeze(late)
test_eq(trainable(late), 0)
unfreeze(late, '*.adapter.*'); test_eq(trainable(late), 12*trainable(late.net.blocks[0].attn.adapter))

# %% [32] LoRA
from medvl.models.adapters import (ATTENTION, _lora_layers, add_lora, merge_lora)

# %% [33] LoRA
for k,t in plain.items():
    x = towers[k][1]; keys = set(t.state_dict())
    with torch.no_grad(): before = t(x).loc
    layers = add_lora(t, r=4)
    with torch.no_grad(): test_close(t(x).loc, before, eps=1e-6)  # B = 0
    assert all('lora_' in n for n,p in t.named_parameters() if p.requires_grad) and trainable(t)
    for n,p in t.named_parameters():
        if 'lora_B' in n: nn.init.normal_(p, std=.05)
    with torch.no_grad(): tuned = t(x).loc
    assert not torch.allclose(tuned, before, atol=1e-2)
    test_eq(merge_lora(t), len(layers)); test_eq(set(t.state_dict()), keys)  # plain names again
    with torch.no_grad(): test_close(t(x).loc, tuned, eps=1e-3)
    print(f'{k:7} {len(layers)} layers, e.g. {layers[0]}')

# %% [34] LoRA
with torch.device('meta'): big = VisionTower('alta'); add_lora(big)
test_eq(trainable(big), 12*8*(768 + 3*768))  # A is 8 x 768, B is 2304 x 8, in twelve blocks: 294,912
test_fail(lambda: add_lora(plain['vision'], targets=['q_proj']), contains="'q_proj' matches no linear layer")
test_fail(lambda: merge_lora(plain['text']), contains='no low-rank part')
test_fail(lambda: add_lora(VisionTower('resnet10t', 64)), contains='a ResNet has none')
test_fail(lambda: add_lora(VisionTower('vit_small_cpu', depth=1), r=0), contains='is 0; expected 1 or more')
test_fail(lambda: add_adapters(VisionTower('resnet50')), contains='holds ResNet')

# %% [36] A whole model
from medvl.models.adapters import (TOWERS, TUNES, inner_tower, adapt)

# %% [38] A whole model
from medvl.models.adapters import (merge_adapted)

# %% [39] A whole model
both = lambda: nn.ModuleDict(dict(vision=VisionTower('vit_small_cpu', depth=2), head_v=nn.Linear(192, 8, bias=False),
    text=TextTower('bert-small', vocab_size=50, num_hidden_layers=1), head_t=nn.Linear(192, 8, bias=False)))
names = {how: adapt(m, how, rank=2) for how in TUNES if (m := both())}
test_eq(names['head'], ['head_v.weight','head_t.weight'])
test_eq({k.split('.')[0] for k in names['lora']+names['adapters']}, {'vision','text'})
test_eq(len(names['lora']), 2*2+2*2); assert all('lora_' in k for k in names['lora'])     # A and B of each matrix
test_eq(len(names['adapters']), 4*(2*2+2)); test_eq(len(names['full']), len(list(both().parameters()))-1)  # positions
more = both(); names = adapt(more, 'lora', 'vision', also=['head_*'])
test_eq([k.split('.')[0] for k in names], ['vision']*4+['head_v','head_t'])
test_eq({k for k,p in more.named_parameters() if p.requires_grad}, set(names)); print(more.adapted)
test_eq((set(merge_adapted(more).state_dict()), more.adapted), (set(both().state_dict()), []))
for kw, want in [(dict(how='prompt'), "how is 'prompt'; expected one of lora"), (dict(towers='left'), "'left'"),
                 (dict(rank=0), 'vision tower: the rank of a low-rank part is 0'), (dict(also=['gate*']), "'gate*'")]:
    test_fail(lambda: adapt(both(), **kw), contains=want)
no_attention = nn.ModuleDict(dict(vision=VisionTower('resnet10t', 64), text=both().text))
test_fail(lambda: adapt(no_attention, 'lora'), contains='vision tower: LoRA changes the attention of a tower')
test_fail(lambda: adapt(no_attention, 'head'), contains='no head of this ModuleDict has weights')
