# nbs/readers/14_radgraph.ipynb: runs against the imported medvl.readers.radgraph.
# Made by tools/make_tests.py from the cells of the notebook. Edit the notebook, not this file.

# %% [3] Entities of RadGraph
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple
from medvl.core import MedvlError
from medvl.data.report import Mention, mentions
from medvl.data.study import Sample, Study
from medvl.data.table import ReadLog
from medvl.data.words import as_text, sentence_spans
from medvl.readers.shapes import read_json

# %% [4] Entities of RadGraph
import json, tempfile
import pandas as pd
from fastcore.test import *
from medvl.data.words import impression_findings
from medvl.data.study import samples
from medvl.phantom.set import phantom_studies
from medvl.readers.rehearsal import write_radgraph

# %% [6] The layout
from medvl.readers.radgraph import (GRAPHS, _KIND, _POLARITY, Marked, Graph, read_label)

# %% [7] The layout
test_eq([read_label(o) for o in ('OBS-DA','ANAT-DP','Observation::uncertain')],
        [('observation','absent'), ('anatomy','present'), ('observation','uncertain')])
test_eq(read_label('Observation::measurement::definitely present'), ('observation','present'))
test_eq([read_label(o) for o in ('OBS','OBS-XX','PER-DP','','OBS-DP-DA')], [None]*5)

# %% [9] One report
from medvl.readers.radgraph import (_number, _entity, read_graph)

# %% [10] One report
one = {'text': 'The lungs are clear . No pleural effusions .', 'entities': {
    '1': dict(tokens='lungs', label='ANAT-DP', start_ix=1, end_ix=1, relations=[]),
    '2': dict(tokens='clear', label='OBS-DP', start_ix=3, end_ix=3, relations=[['located_at','1']]),
    '3': dict(tokens='pleural effusions', label='Observation::definitely absent', start_ix=6, end_ix=7)}}
g, _ = read_graph(one, 'a.json, s1.txt'); print(g)
test_eq(g.marked[2], Marked('observation', 'absent', 6, 7))
def wrong(**kw):
    e = one['entities'] | {'2': one['entities']['2'] | kw}
    return lambda: read_graph(dict(one, entities=e), 'a.json, s1.txt')
test_fail(wrong(end_ix=9), contains="a.json, s1.txt, entity '2': end_ix is 9; expected a whole number from 0 to 8")
test_fail(wrong(start_ix='3'), contains="entity '2': start_ix is '3'; expected a whole number")
test_fail(wrong(end_ix=1), contains='end_ix is 1 and start_ix is 3')
test_fail(wrong(start_ix=2, end_ix=2), contains="tokens is 'clear'; expected 'are', words 2 to 2 of the text")
test_fail(wrong(label='OBS-X'), contains="entity '2': label is 'OBS-X'; expected one such as OBS-DA")
test_fail(lambda: read_graph(dict(text='a', entities={'1': 7}), 'f'), contains="f, entity '1': is 7; expected tokens")
for bad in ('text', [], {'text': 'a b'}, {'entities': {}}):
    test_fail(lambda: read_graph(bad, 'f'), contains='as in RadGraph')

# %% [12] A file, or the folder of the release
from medvl.readers.radgraph import (read_radgraph)

# %% [14] A file, or the folder of the release
tmp = tempfile.TemporaryDirectory(); root = Path(tmp.name)
studies = phantom_studies(12, seed=3, size=64)
file = write_radgraph(studies, root/'graphs.json')
raw = json.loads(file.read_text()); graphs = read_radgraph(file, log := ReadLog('RadGraph')); print(log)
new = read_radgraph(write_radgraph(studies, root/'new.json', new=True), log=ReadLog())
test_eq([g.marked for g in graphs.values()], [g.marked for g in new.values()])          # both spellings
assert 'Observation::definitely absent' in (root/'new.json').read_text() and 'OBS-DA' in file.read_text()
(root/'release').mkdir(); (root/'release/MIMIC-CXR_graphs.json').write_text(json.dumps(dict(a=one, b=one)))
(root/'release/test.json').write_text(json.dumps(dict(a=dict(text='x', labeler_1=dict(entities={})))))
log = ReadLog(); test_eq(len(read_radgraph(root/'release', log)['a'].words), 1)
test_eq([w for w,_ in log.noted], ['two annotators: the first is taken', 'a report that is in another file, too'])
for text,want in (('{"a": [1]}', 'bad.json, a: expected a dictionary with `text`'), ('[]', 'expected a dictionary'),
                  ('{"a": {"te', "can't be read as JSON")):
    (root/'bad.json').write_text(text); test_fail(lambda: read_radgraph(root/'bad.json'), contains=want)
test_fail(lambda: read_radgraph(root/'none.json'), contains='no such file or folder; expected annotations')
test_fail(lambda: read_radgraph(tmp.name), contains='none of train.json, dev.json')

# %% [16] The words in another text
from medvl.readers.radgraph import (_WORD, _places, in_text)

# %% [17] The words in another text
text = 'Findings:\nThe lungs are  clear.\nNo pleural effusions!'
got, lost = in_text(g, text)
test_eq([(m.text, m.kind, m.polarity, m.sentence) for m in got], [('lungs','anatomy','present',0),
        ('clear','observation','present',0), ('pleural effusions','observation','absent',1)])
test_eq((lost, [text[slice(*m.span)] for m in got]), ([], [m.text for m in got]))
got, lost = in_text(g, 'No pleural effusions. The lungs are hazy.')              # another order, another word
test_eq(([m.text for m in got], lost), (['pleural effusions'], [1]))
twice = Graph('Effusion . No change . Effusion .'.split(), [Marked('observation', 'present', 0, 0)])
test_eq(in_text(twice, 'Effusion. No change.'), ([], [0]))                       # an entity once, once not
twice.marked.append(Marked('observation', 'present', 5, 5)); test_eq(len(in_text(twice, 'Effusion.')[0]), 1)
cut = Graph('right-sided PICC , L.L.L. opacity'.split(), [Marked('anatomy', 'present', i, i) for i in (0,3)])
test_eq([m.text for m in in_text(cut, 'Right - sided PICC, L.L.L. opacity')[0]], ['Right - sided', 'L.L.L'])
test_eq(in_text(Graph([''], []), 'Clear.'), ([], [0])); test_eq(in_text(g, ''), ([], []))

# %% [19] Studies and their reports
from medvl.readers.radgraph import (_mimic, graph_names, study_names, annotate, check_annotated)

# %% [20] Studies and their reports
test_eq(graph_names('p10/p10659857/s59206984.txt')[0], '10659857/59206984')
for patient,id in (('10659857','59206984'), ('p10659857','s59206984')):
    test_eq(study_names(Study(patient, id))[0], '10659857/59206984')
assert {*study_names(Study('a', 'a-1'))} & {*graph_names('a-1.txt')} & {*graph_names('x/a-1')} == set()
assert {*study_names(Study('a', 'a-1'))} & {*graph_names('a-1.txt')}

# %% [22] Studies and their reports
smp = samples(studies, text=impression_findings, need_text=True, say=None)
a, b, c = (s.study.id for s in smp[:3])
few = {k: v for k,v in raw.items() if a not in k}
few = {k: v | dict(entities={}) if b in k else v for k,v in few.items()}
for k,v in few.items():
    if c in k: first = v['text'].split(' '); v['text'] = ' '.join([*first[:-2], first[-2].upper()+'x', first[-1]])
(root/'few.json').write_text(json.dumps({k: v | dict(entities={n: e for n,e in v['entities'].items()
    if e['end_ix'] < len(v['text'].split(' '))-2}) for k,v in few.items()}))
seen = read_radgraph(root/'few.json', log := ReadLog('entities'))
own = annotate(smp, seen, log); print(log)
test_eq([s.named is None for s in own[:3]], [True, True, False])
test_eq(sum(s.named is not None for s in own), log.found['annotated texts'])
by = ': read by the dictionary'; why = {at.partition(',')[0]: w for w,at in log.noted}
test_eq([why[s.id] for s in smp[:2]], ['no annotation'+by, 'no entity'+by]); assert why[smp[2].id].endswith(by)

# %% [23] Studies and their reports
s = max(own[3:], key=lambda s: len({(m.kind, m.polarity) for m in s.named})); found = s.named
test_eq([m.text for m in found], [s.text[slice(*m.span)] for m in found]); print(s.text)
pd.DataFrame([dict(text=m.text, kind=m.kind, polarity=m.polarity, sentence=m.sentence+1) for m in found])

# %% [25] Studies and their reports
full = annotate(smp, graphs, ReadLog())
for s in full:
    test_eq([m.span for m in s.named], [m.span for m in mentions(s.text)])
    test_eq({m.polarity for m in s.named} <= {'present','absent','uncertain'}, True)
numbered = {str(i): g for i,g in enumerate(graphs.values())}
annotate(smp, numbered, log := ReadLog()); test_eq(len(log.noted), len(smp))
test_fail(lambda: check_annotated(log, numbered, smp, 'g.json'), contains="its keys are such as '0', expected the id")
tmp.cleanup()
