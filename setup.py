"Reads settings.ini, so that nothing about the package is written twice."
import configparser
from pathlib import Path
from setuptools import find_packages, setup

here = Path(__file__).parent
cp = configparser.ConfigParser(delimiters=['='])
cp.read(here/'settings.ini', encoding='utf-8')
cfg = cp['DEFAULT']
extras = {k.removeprefix('extra_'): v.split() for k, v in cfg.items() if k.startswith('extra_')}
extras['dev'] = cfg['dev_requirements'].split() + [r for k, v in extras.items() if k != 'browser' for r in v]
readme = here/'README.md'

setup(name=cfg['lib_name'], version=cfg['version'], description=cfg['description'], keywords=cfg['keywords'],
      author=cfg['author'], author_email=cfg['author_email'], license='Apache-2.0', license_files=['LICENSE'],
      long_description=readme.read_text(encoding='utf-8') if readme.exists() else cfg['description'],
      long_description_content_type='text/markdown', python_requires=f">={cfg['min_python']}",
      packages=find_packages(include=['medvl', 'medvl.*']), include_package_data=True,
      package_data={'medvl': ['data/prompts/*.json', 'data/lexicon/*.json', 'data/templates/*.json',
                              'readers/*.json', 'weights/*/*']},
      install_requires=cfg['requirements'].split(), extras_require=extras,
      entry_points={'console_scripts': cfg['console_scripts'].split('\n'),
                    'nbdev': [f"{cfg['lib_name']}=medvl._modidx:d"]})
