"""CheXpert's published idea, plainly: phrases of mention, then patterns before and behind each within its sentence.

Irvin et al. (2019) find mentions by lists of phrases and classify each by rules for uncertainty before negation, for
negation, and for uncertainty after it (their rules match dependency graphs, these match words); a mention that nothing
marks is positive. Of several mentions of a finding, positive outweighs uncertain, and uncertain outweighs negative.
The facts are the paper's, the code is not theirs. It is here to show what longer rules are worth."""
import re

MENTIONS = {'Pleural Effusion': 'effusions?|pleural fluid', 'Pneumothorax': 'pneumothora(?:x|ces)|ptx',
            'Pneumonia': 'pneumonias?|infections?|pna', 'Edema': 'edema|heart failure|chf|vascular congestion',
            'Consolidation': 'consolidations?', 'Atelectasis': 'atelecta\\w+|collapse',
            'Cardiomegaly': 'cardiomegaly|heart size'
                            '|(?:heart|cardiac silhouette)(?= is (?:mildly )?(?:not )?enlarged)',
            'Support Devices': '(?:\\w+ )?tubes?|(?:\\w+ )?lines?|picc|ett|catheters?|pacemakers?|leads',
            'Lung Lesion': 'nodules?|mass(?:es)?', 'Fracture': 'fractures?', 'Lung Opacity': 'opacit(?:y|ies)',
            'Enlarged Cardiomediastinum': 'widen\\w+ mediastinum|mediastinal contours?',
            'Pleural Other': 'pleural (?:thickening|plaques?)', 'No Finding': '(?!)'}
UNSURE_FIRST = (r'(?:cannot|can ?not|can\'t|not|difficult to|unable to) (?:\w+ )?(?:exclude|rule out)[^.;]*$',
                r'(?:rule out|r/o|evaluate for|assess for|question of)[^.;]*$')
UNSURE_BEHIND_FIRST = (r'^[^.;]*\b(?:cannot|can not|could not|not) '
                       r'(?:\w+ )?(?:be )?(?:\w+ )?(?:excluded|ruled out)')
DENIED = (r'\b(?:no|without|free of|negative for|absence of|not|'
          r'clear of|no evidence of|resolution of|neither|nor)\b[^.;]*$')
DENIED_BEHIND = (r'^[^.;]*\b(?:(?:is|are|was|were|has|have)? ?not (?:\w+ )?'
                 r'(?:seen|identified|present|visuali\w+|evident)'
                 r'|(?:has|have|is) (?:\w+ )?(?:resolved|cleared|absent|excluded|removed)|none|no longer)')
UNSURE = (r'\b(?:possibl[ey]|probabl[ey]|likely|may|might|could|suspicious for|concern\w* for|suggest\w*|question\w*'
          r'|versus|vs|or|consider|equivocal|presumed|borderline|perhaps|favor|suspected|doubt\w*)\b[^.;]*$')
UNSURE_BEHIND = (r'^[^.;]*\b(?:is|are|would be|should be) (?:\w+ )?'
                 r'(?:possible|likely|suspected|unlikely|considered|a consideration|questionable)')
STOP = re.compile(r'\b(?:but|however|although|though|except|yet|aside from|apart from)\b|;')

def _one(before, behind):
    before = STOP.split(before)[-1]; behind = STOP.split(behind)[0]
    if any(re.search(p, before) for p in UNSURE_FIRST) or re.search(UNSURE_BEHIND_FIRST, behind): return 'uncertain'
    if re.search(DENIED, before) or re.search(DENIED_BEHIND, behind): return 'absent'
    return 'uncertain' if re.search(UNSURE, before) or re.search(UNSURE_BEHIND, behind) else 'present'

def plain_label(text, finding):
    "'present', 'uncertain', 'absent' or 'unmentioned'; headings of the clinical question are left out."
    text = re.sub(r'(?:INDICATION|REASON FOR EXAM|REASON|Indication):[^\n]*?(?=FINDINGS:|\n|$)', '', text)
    got = set()
    for s in re.split(r'(?<=[.!?])\s+|\n', text.lower()):
        for m in re.finditer(rf'\b(?:{MENTIONS[finding]})\b', s): got.add(_one(s[:m.start()], s[m.end():]))
    return next((o for o in ('present','uncertain','absent') if o in got), 'unmentioned')
