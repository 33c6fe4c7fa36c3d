"""A trained run into the package: half-precision weights, config, tokenizer and a card, as medvl/weights/NAME.

    python tools/ship.py NAME RUN --command "medvl demo ..."

`medvl.load(NAME)` reads it. The card says what the model was trained on, by which command, and what it scores; the
config's `trained_on` says it to `medvl demo`, which draws other patients.
"""
import argparse, json, re, shutil
from pathlib import Path
from pages import ROOT

TOKENIZER = 'tokenizer.json', 'tokenizer_config.json'


def scores(path: Path) -> list[str]:
    "Lines of a table with what a stage of the demo scored, and its maps, if any; none without the file."
    if not path.is_file(): return []
    res = json.loads(path.read_text(encoding='utf-8'))
    rows = [(f'{name} P@10', res['findings'][way]['metrics']['P@10']) for way, name in
            (('image_to_text', 'film to text'), ('text_to_image', 'text to film')) if way in res.get('findings', {})]
    rows.append(('zero-shot AUROC, mean over the findings', res['zeroshot']['macro']['auroc']))
    rows += [*res.get('grounding', {}).items()]
    line = '| {} | {value:.3f} [{low:.3f}, {high:.3f}] |'
    return ['', '| score on patients that it has not seen | value, 95 % interval over patients |', '|---|---|',
            *(line.format(name, **v) for name, v in rows),
            *([f"\nThe scores of the maps are means over the findings, {res['phrases']} phrases in all."]
              if 'phrases' in res else [])]


def card(name: str, cfg: dict, plan: dict, command: str, table: list[str]) -> str:
    "The model card."
    stage, data, made = plan['stage'], plan['data'], cfg['made_by']
    train, test = data['train'], data.get('test', {})
    below = plan.get('below')
    start = f" It starts from an MRM of the same patients ({below['stage']['epochs']} epochs)." if below else ''
    if 'tower_steps' in stage:
        start = (f" {stage['films_used']:,} of the films were used: those with a finding, and a part of the others. "
                 f"Before the {stage['steps']} steps, the film tower learnt in {stage['tower_steps']} steps to name "
                 'what the reports name, without boxes or masks; it is frozen. Texts are single sentences of reports.')
    long = f"{stage['epochs']} epochs" if 'epochs' in stage else f"{stage['steps']} steps"
    return '\n'.join([f'# {name}', '',
        f"{cfg['class'].rpartition(':')[2]}, {cfg['parameters']/1e6:.2f} M parameters, stored in half precision. "
        'Research software on simulated films. **Not for clinical use**; it knows nothing of real films.', '',
        f"- Trained on {train['patients']:,} phantom patients ({train['frontals']:,} frontal films, "
        f"{plan['films'].split(' ', 1)[1]}), {long} of batches of {stage['bs']}, learning rate "
        f"{stage['lr']}, seed {plan['seed']}.{start}",
        f"- Tested on {test.get('patients', 0):,} other patients ({test.get('frontals', 0):,} frontal films).",
        f"- Made on {made['date']} at commit {made['commit']} by `{command}`, then `python tools/ship.py {name} RUN`.",
        *table, ''])


def ship(name: str, run: Path, command: str) -> Path:
    "Write medvl/weights/NAME."
    from medvl.models.checkpoint import from_pretrained, read_config, save_pretrained
    at, model = ROOT/'medvl'/'weights'/name, from_pretrained(run/'model').half()
    was, plan = read_config(run/'model'), json.loads((run/'plan.json').read_text(encoding='utf-8'))
    shutil.rmtree(at, ignore_errors=True)
    extra = {k: v for k, v in (was.get('extra') or {}).items() if k in ('preset', 'max_len')}
    slots = ((was.get('extra') or {}).get('args') or {}).get('data', {}).get('slots')
    film, seed, kind = re.fullmatch(r'(\d+) px, seed (\d+), (.+)', plan['films'].split(' ', 1)[1]).groups()
    seen = dict(seed=int(seed), split='train', difficulty=kind, film=int(film))
    extra |= dict(args=dict(data=dict(slots=slots)), made_by=was['made_by'],
                  trained_on=dict(patients=plan['data']['train']['patients']) | seen)
    save_pretrained(model, at, extra)
    for f in TOKENIZER:
        if (run/'model'/f).is_file(): shutil.copy(run/'model'/f, at)
    for f in at.iterdir(): f.chmod(0o644)  # so that whoever installs the wheel can read it
    text = card(name, read_config(at) | dict(made_by=was['made_by']), plan, command, scores(run/'scores.json'))
    (at/'card.md').write_text(text, encoding='utf-8')
    return at


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('name'); p.add_argument('run', type=Path); p.add_argument('--command', required=True)
    a = p.parse_args(); at = ship(a.name, a.run, a.command)
    print(f"{at}: {sum(f.stat().st_size for f in at.iterdir())/1e6:.2f} MB")
