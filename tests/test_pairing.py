"""Which film gets which report, over random folders and tables.

No film ever gets a report that names another patient, study, accession number, series, film, day or time of day; a key
that is unique on both sides, and is contradicted by nothing, always pairs; nothing depends on the order of rows; each
film and each report is accounted for. The comparison here is written apart from `data.pairing`: values without
blanks around them, capitals aside.
"""
import os, re
from collections import Counter
from itertools import combinations

import numpy as np
import pandas as pd
from hypothesis import given, settings, strategies as st
from PIL import Image

from medvl.data.scan import match_reports, scan_dicom
from medvl.data.table import ReadLog

FEW = settings(max_examples=100, deadline=None, derandomize=True)
PATIENTS = ['', 'P1', 'p1', 'P2', '007', '7', '10000032', 'ANONYMOUS', '0']
ACCESSIONS = ['', 'A1', 'a1', 'A2', '77', '077', '0']
UIDS = ['', '1.2.1', '1.2.2', '1.2.10']
DAYS, CLOCKS = ['', '2020-01-31', '2020-02-01'], ['00:00:00', '08:00:00', '08:00:30', '18:00:00']
FOLDERS, NAMES = ['', 'p1/', 'p2/', 'P1/', 'x/p1/'], ['IM-1.png', 'IM-1', 'im-1.PNG', 'IM-1.dcm', '1.2.1', '1.2.10',
    '77.dcm']

FIELDS = dict(folder=FOLDERS, name=NAMES, patient_id=PATIENTS, accession=ACCESSIONS, study_uid=UIDS, day=DAYS,
    clock=CLOCKS,
              sop_uid=['', '9.1', '9.2'], series_uid=['', '8.1', '8.2'])
CELLS = {k: st.sampled_from(v) for k, v in FIELDS.items()}
films = st.fixed_dictionaries(CELLS)
change = st.lists(st.sampled_from([(k, v) for k, vs in FIELDS.items() for v in vs]), min_size=1, max_size=3).map(dict)
alike = films.flatmap(lambda f: st.lists(change.map(lambda o: f | o), max_size=5).map(
    lambda others: [f, *others]))  # films that have most things in common


# cells that decide, or are contradicted, by themselves
FEW_CELLS = [('image',), ('image','patient_id'), ('accession','time'), ('study_uid','time'),
             ('patient_id','date','time'), ('patient_id','time'), ('accession','date','time')]


def odd(value):
    "The same id as tables write it."
    ways = [value, f' {value}', f'{value} ', value.lower()] + [f'{value}.0', f'="{value}"']*value.isdecimal()
    return st.sampled_from(ways if value else ['', 'nan', ' '])


def rows_of(made):
    "Rows about these films, and about others; each cell is there or not."
    def row(f):
        images = [f['image'], f['image'].split('/')[-1], f['image'].replace('/', '\\'), f['image'].rpartition('.')[0],
                  'C:\\old\\'+f['image'].replace('/', '\\'), 'p2/'+f['image'].split('/')[-1],
                  *NAMES, *(f['folder']+o for o in NAMES)]  # and files that are not there
        date, clock = f['time'][:10], f['time'][11:]
        cells = dict(
            image=st.sampled_from(images), patient_id=odd(f['patient_id']), accession=odd(f['accession']),
            study_uid=odd(f['study_uid']), study_id=odd(f['study_uid']), sop_uid=odd(f['sop_uid']),
            series_uid=odd(f['series_uid']), date=st.sampled_from([date, date.replace('-', ''), '']),
            time=st.sampled_from([clock, f['time'], '', *CLOCKS[1:], *(f'{date}T{o}' for o in CLOCKS[1:])]))
        few = st.sampled_from(FEW_CELLS).flatmap(lambda ks: st.fixed_dictionaries({k: cells[k] for k in ks}))
        return st.one_of(st.fixed_dictionaries({}, optional=cells), few)
    return st.lists(st.sampled_from(made).flatmap(row), min_size=1, max_size=6)


def finish(f):
    "A row as a scan gives it; a film without a patient is named after its folder."
    image = f['folder']+f['name']
    guess = {} if f['patient_id'] else dict(patient_from='folder' if f['folder'] else 'file',
                                            patient_id=f['folder'].split('/')[0] or f['name'].rpartition('.')[0])
    return f | dict(image=image, study_id=f['study_uid'], time=f['day'] and f"{f['day']}T{f['clock']}",
        patient_from='') | guess


folders = st.one_of(alike, st.lists(films, min_size=1, max_size=6)).map(
    lambda made: list({f['folder']+f['name']: finish(f) for f in made}.values()))
worlds = folders.flatmap(lambda made: st.tuples(st.just(made), rows_of(made)))


def table(rows):
    "The rows as a table in which every report is another, with all columns."
    keys = ['image', 'patient_id', 'accession', 'study_uid', 'study_id', 'sop_uid', 'series_uid', 'date', 'time']
    return pd.DataFrame([{k: r.get(k, '') for k in keys} | dict(report=f'Report {i}.') for i, r in enumerate(rows)])


def plain(value):
    "A cell for comparison; '' where it says nothing."
    v = value.strip().strip('="').casefold()
    v = v.removesuffix('.0') if v.removesuffix('.0').isdecimal() else v
    return '' if v in ('', 'nan', 'anonymous') or not v.strip('0.') else v


def seconds(clock):
    "HHMMSS, or HHMM where a side has no seconds."
    return clock.replace(':', '').ljust(6, '0')


def differ(film, row):
    "What both say and say differently; zeros that a spreadsheet may have eaten aside."
    out = [k for k in ('accession', 'study_uid', 'sop_uid', 'series_uid')
           if (a := plain(film[k])) and (b := plain(row.get(k, ''))) and a.lstrip('0') != b.lstrip('0')]
    a, b = plain(film['patient_id']) if not film['patient_from'] else '', plain(row.get('patient_id', ''))
    out += ['patient']*bool(a and b and a.lstrip('0') != b.lstrip('0'))
    day, time = row.get('date', ''), row.get('time', '')
    day, time = (day or (time[:10] if 'T' in time else '')).replace('-', ''), time.split('T')[-1]
    if film['time'] and day:
        own = film['time'][:10].replace('-', ''), seconds(film['time'][11:])
        n = 6 if own[1][4:] != '00' and seconds(time)[4:] != '00' else 4
        out += ['day']*(day != own[0])
        if own[1].strip('0') and seconds(time).strip('0'): out += ['time']*(own[1][:n] != seconds(time)[:n])
    return out


def in_common(film, row):
    "Whether a film and a report share a name of the film, a number, or patient and day."
    if any(plain(row.get(k, '')) and plain(row[k]).lstrip('0') == plain(film[c]).lstrip('0') for k, c in dict(
            accession='accession', study_uid='study_uid', study_id='study_uid', sop_uid='sop_uid',
        series_uid='series_uid').items()):
        return True
    bare = lambda o: re.sub(r'\.(png|dcm)$', '', o.replace('\\', '/').split('/')[-1].casefold())
    return bare(row.get('image', '')) == bare(film['image']) or bool(
        plain(row.get('patient_id', '')).lstrip('0') == plain(film['patient_id']).lstrip('0') and film['day']
        and film['day'].replace('-', '') in (row.get('date', '')+row.get('time', '')).replace('-', ''))


@FEW
@given(worlds)
def test_never_against_what_is_said(world):
    made, rows = world
    log = ReadLog()
    got = match_reports(pd.DataFrame(made), table(rows), log).report.tolist()
    for f, text in zip(made, got):
        if text: assert not differ(f, row := rows[int(text[7:-1])]) and in_common(f, row), (f, row)
    for f, g in combinations([f for f, text in zip(made, got) if text], 2):
        own = g | dict(time='', date=g['day'], patient_id='' if g['patient_from'] else g['patient_id'])
        if got[made.index(f)] == got[made.index(g)]: assert set(differ(f, own)) <= {'series_uid', 'sop_uid'}, (f, g)
    paired = sum(map(bool, got))
    assert paired == sum(log.found.values())
    assert len(made)-paired == sum(why.startswith('film without a report') for why, _ in log.noted)
    assert len(rows) == len(set(filter(None, got))) + sum(why.startswith('report without a film') for why,
        _ in log.left)


@FEW
@given(worlds, st.randoms(use_true_random=False))
def test_order_does_not_matter(world, random):
    made, rows = world
    one = dict(zip((f['image'] for f in made), match_reports(pd.DataFrame(made), table(rows), ReadLog()).report))
    said, turned = table(rows).to_dict('records'), list(made)
    random.shuffle(said); random.shuffle(turned)
    two = match_reports(pd.DataFrame(turned), pd.DataFrame(said), ReadLog()).report
    assert dict(zip((f['image'] for f in turned), two)) == one


OWN = finish(dict(folder='q9/', name='own-film.dcm', patient_id='Q9', accession='Q77', study_uid='7.7.7',
    sop_uid='7.7.7.1',
                  series_uid='7.7.7.2', day='2021-05-05', clock='10:11:00'))
SURE = dict(image=['q9/own-film.dcm', 'own-film.dcm', 'own-film', 'Q9\\OWN-FILM.DCM', 'D:\\set\\q9\\own-film.dcm'],
            accession=['Q77', ' q77'], study_uid=['7.7.7'], study_id=['7.7.7 '], sop_uid=['7.7.7.1'],
    series_uid=['7.7.7.2'],
            date=['20210505', '2021-05-05'])
sure = st.sets(st.sampled_from(sorted(SURE)), min_size=1).flatmap(
    lambda keys: st.fixed_dictionaries({k: st.sampled_from(SURE[k]) for k in keys},
                                       optional=dict(time=st.sampled_from(['10:11', '2021-05-05T10:11:00']))))


@FEW
@given(worlds, sure, st.booleans(), st.integers(0, 6))
def test_a_unique_key_always_pairs(world, row, patient, at):
    made, rows = world
    if patient or set(row) <= {'date', 'time'}: row = row | dict(patient_id='q9')
    rows = [*rows[:at], row, *rows[at:]]
    got = match_reports(pd.DataFrame([*made, OWN]), table(rows), ReadLog()).report
    assert got.iloc[-1] == f'Report {rows.index(row)}.'
    assert (got == got.iloc[-1]).sum() == 1


def test_from_disk(tmp_path):
    "Folders that are links, a link that leads nowhere, a circle, a link to a film that is there; whole paths."
    gen, root, away = np.random.default_rng(0), tmp_path/'set', tmp_path/'away'
    for p in (root/'p1/IM-1.png', away/'IM-1.png', root/'p3/IM-1.png'):
        p.parent.mkdir(parents=True); Image.fromarray(gen.integers(0, 255, (40, 40), np.uint8)).save(p)
    (root/'p2').symlink_to(away); (root/'p4').symlink_to(root/'p3'); (root/'p3/again').symlink_to(root)
    (root/'p3/lost.png').symlink_to(tmp_path/'nowhere.png'); (root/'p3/z.png').symlink_to(root/'p1/IM-1.png')
    (root/'p3/ring.png').symlink_to(root/'p3/ring.png')
    said = pd.DataFrame([dict(image=str(tmp_path/f'set/p{i}/IM-1.png'), report=f'of p{i}') for i in (1, 2)])
    log = ReadLog()
    df = scan_dicom(root, said, log=log)
    assert dict(zip(df.image, df.report)) == {'p1/IM-1.png': 'of p1', 'p2/IM-1.png': 'of p2', 'p3/IM-1.png': ''}
    assert Counter(w for w, _ in log.left) == {'a link that leads nowhere': 2}
    notes = Counter(w for w, _ in log.noted)
    assert notes['a link to a folder that is looked at anyway'] == 2
    assert notes['a link to a file that is there anyway: left out'] == 1
    assert os.path.islink(root/'p2')


def test_a_folder_that_cannot_be_read(tmp_path, monkeypatch):
    "Permission denied for a folder of films, or of reports, is said, and the rest is read."
    gen = np.random.default_rng(0)
    for p in ('p1/a.png', 'locked/b.png'):
        (tmp_path/p).parent.mkdir(); Image.fromarray(gen.integers(0, 255, (40, 40), np.uint8)).save(tmp_path/p)
    said = tmp_path/'said'; (said/'locked').mkdir(parents=True); (said/'a.txt').write_text('Clear.')
    real = os.scandir
    def scandir(p):
        if str(p).endswith('locked'): raise PermissionError(13, 'Permission denied', str(p))
        return real(p)
    monkeypatch.setattr(os, 'scandir', scandir)
    log = ReadLog()
    df = scan_dicom(tmp_path, said, log=log)
    assert df.image.tolist() == ['p1/a.png'] and df.report.tolist() == ['Clear.']
    assert Counter(log.left)['a folder that can not be read', 'locked: Permission denied'] == 2
