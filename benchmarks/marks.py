"""Does looking again help where every finding can be seen? GLoRIA, PLAN with K=0 and with K=2, trained from nothing on
phantom films with marks (`phantom.marks`), find the marks of unseen patients.

    OMP_NUM_THREADS=1 python benchmarks/marks.py --out runs/marks --results results

The same small towers, batches, steps and learning rate for all; everything is trained, end to end. A seed changes
weights, batches and order. Scores, intervals and differences as in `benchmarks/grounding.py`. Control: every phrase on
the film of another patient. PLAN's `READ`: the trained model is read in other ways, nothing is trained again."""
import argparse
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from medvl.data.preset import Preset
from medvl.data.regions import phrases
from medvl.data.tokens import train_tokenizer
from medvl.eval.grounding import Protocol
from medvl.methods.gloria import GLoRIA
from medvl.methods.plan import PLAN
from medvl.phantom.marks import marked_studies
from medvl.phantom.set import phantom_studies

from grounding import CLEAR, Texts, compare, early, row, score, show, write

PAGE, PROTO = Preset('marks', 64, 64, 64, .4785, .2834), Protocol('marks', sigma=0.)
TOWER = dict(name='resnet18', size=64, in_chans=1, layers=(1,1,1,1), channels=(24,48,64,64), fine=True)
BERT = dict(hidden_size=96, num_hidden_layers=1, num_attention_heads=3, intermediate_size=192,
            max_position_embeddings=64, hidden_dropout_prob=0., attention_probs_dropout_prob=0., initializer_range=.1)
FAIR = dict(hidden=0, tau_a=.5)  # PLAN's heads and sharpness as GLoRIA's
SYSTEMS = {'GLoRIA': (GLoRIA, {}), 'PLAN K=0': (PLAN, dict(FAIR, K=0)), 'PLAN K=2': (PLAN, dict(FAIR, K=2)),
           'PLAN K=2, no importance': (PLAN, dict(FAIR, how='none', K=2))}
FIRST = {'PLAN K=2, batch-norm heads': (PLAN, dict(hidden=128, tau_a=.5, K=2)),
         'PLAN K=2, narrow regions': (PLAN, dict(FAIR, tau_a=.1, K=2)),
         'PLAN K=0, no importance': (PLAN, dict(FAIR, how='none', K=0))}  # one seed
READ = {'three_looks': dict(K=3), 'one_look': dict(K=1)}

def trained(a, name, cls, kw, seed, px, texts, log):
    "A system of a seed, from its file or trained now."
    torch.manual_seed(seed); f = a.out/f"{name.replace(' ', '-')}-{seed}.safetensors"
    m = cls(vision=TOWER, text=dict(BERT, vocab_size=len(texts.tok)), size=64, up=None, dim=64, layers=1,
            preset='alta-small', **kw)
    if f.exists(): m.load_state_dict(load_file(f)); return m.eval()
    opt = torch.optim.AdamW(m.parameters(), a.lr, weight_decay=.02)
    rate = torch.optim.lr_scheduler.OneCycleLR(opt, a.lr, total_steps=a.steps, pct_start=.2)
    rng, total = np.random.default_rng(seed), {}
    for i in range(a.steps):
        ids = rng.integers(len(px), size=a.bs); b = texts.batch(ids.tolist(), rng); b['img'] = px[ids]
        out = m.train()(b); opt.zero_grad(); m.loss(out).backward(); opt.step(); rate.step()
        for k,v in out.terms.items(): total[k] = total.get(k, 0) + v.item()/50
        if (i+1) % 50 == 0:
            log(f"  {name}, seed {seed}, step {i+1}/{a.steps}: "+', '.join(f'{k} {v:.2f}' for k,v in total.items()))
            total = {}
    save_file(m.state_dict(), f)
    return m.eval()

def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('--out', type=Path, required=True); p.add_argument('--results', type=Path)
    for k,v in dict(patients=60, test_patients=30, train=1500, test=200, steps=200, bs=24, seeds=3).items():
        p.add_argument(f"--{k.replace('_','-')}", type=int, default=v)
    p.add_argument('--lr', type=float, default=3e-3)
    p.add_argument('--train-only', action='store_true', help='score later')
    a = p.parse_args(); torch.set_num_threads(1); a.out.mkdir(parents=True, exist_ok=True)
    def log(s):
        print(s, flush=True)
        with open(a.out/'log.txt', 'a') as f: f.write(s+'\n')
    def made(n, split, studies, seed): return marked_studies(phantom_studies(n, 0, 64, split, CLEAR), studies, seed)
    train = made(a.patients, 'train', a.train, 0)
    px = PAGE.norm(torch.from_numpy(np.stack([s.views[0].px for s in train]))[:,None]/255)
    tok = train_tokenizer([s.report for s in train], 200); texts = Texts([[s.report] for s in train], tok, {})
    records = phrases(made(a.test_patients, 'test', a.test, 1))
    def get(systems, seeds): return {k: [trained(a, k, *v, s, px, texts, log) for s in range(seeds)]
                                     for k,v in systems.items()}
    systems = {k: [] for k in SYSTEMS}
    for s in range(a.seeds):
        for k,v in SYSTEMS.items(): systems[k].append(trained(a, k, *v, s, px, texts, log))
    first = get(FIRST, 1)
    if a.train_only: return
    kw = dict(page=PAGE, proto=PROTO)
    res = score(systems, records, tok, **kw); res |= early(res)
    show(f"{a.seeds} seeds, {len(records)} phrases", res, log); compare(res, log)
    for c in res['PLAN K=2'].table['n']:
        log(f"{c} ({res['PLAN K=2'].table['n'][c]})")
        for k,g in res.items(): log(row(k, g, by=c))
    extra = {'control': score(systems, records, tok, control=True, **kw)}
    show('control: the film of another patient', extra['control'], log)
    for name,how in READ.items():
        for m in systems['PLAN K=2']: vars(m).update(how)
        extra[name] = score({'PLAN K=2': systems['PLAN K=2']}, records, tok, **kw); show(name, extra[name], log)
        for m in systems['PLAN K=2']: m.K = 2
    tried = score(first, records, tok, **kw); show('one seed', tried, log)
    data = f"marks on phantom films, {a.patients} patients to train, {a.test_patients} to test"
    if a.results: write(a, res | tried, extra, a.seeds, data, 'marks', {k: 1 for k in tried})

if __name__ == '__main__': main()
