"""Which values of well-known labels have the form of a cloud's own: zones, regions, instance types and what describes those."""

import re

from karpenter_check.collect.public_words import is_public_word

_DIRECTION = "(?:north|south|east|west|central|northeast|northwest|southeast|southwest)"
_AWS = rf"(?:us|us-gov|us-iso[a-z]?|eu|eu-isoe|eusc-de|ap|sa|ca|me|af|il|mx|cn)-{_DIRECTION}-[0-9]"
_AZURE = (
    r"(?:us|us2?gov|usdod|canada|brazil|mexico|chile|europe|uk|france|germany|switzerland|norway|sweden|poland|italy|spain|austria|belgium"
    r"|denmark|finland|greece|asia|japan|korea|australia|newzealand|india|jioindia|indonesia|malaysia|taiwan|uae|qatar|israel|saudiarabia"
    r"|southafrica|china)"
)
_AZURE_DIRECTION = "(?:north|south|east|west|central)"
_PLACE = re.compile(
    rf"{_AWS}(?:[a-z]|-[a-z]{{3}}-[0-9][a-z]|-wl[0-9]-[a-z]{{3}}-wlz-[0-9])?|(?:us|eu|ap|sa|ca|me|af|il|mx|cn)[a-z]{{1,3}}[0-9]-(?:[a-z]{{3}}[0-9]-)?az[0-9]"
    rf"|(?:us|europe|asia|australia|northamerica|southamerica|me|africa)-{_DIRECTION}[0-9]{{1,2}}(?:-[a-z])?"
    rf"|(?:{_AZURE}{_AZURE_DIRECTION}{{1,2}}[0-9]?|{_AZURE_DIRECTION}{{1,2}}(?:us|europe|asia|india)[0-9]?)(?:-[0-9])?"
    r"|cn-(?:beijing|hangzhou|shanghai|shenzhen|zhangjiakou|qingdao|chengdu|guangzhou|hongkong)(?:-[a-z])?"
    r"|test-zone-[a-z]|[0-9]"
)
"""Of AWS with its local zones, its zone ids, of Google, Azure and Alibaba, and of Karpenter's tests."""
_SIZE = r"(?:nano|micro|small|medium|large|[0-9]{0,3}xlarge|metal(?:-[0-9]{1,3}xl)?)"
_INSTANCE_TYPE = re.compile(
    rf"(?:ecs\.)?(?:[a-z]{{1,5}}[0-9]{{1,2}}[a-z]{{0,5}}(?:-[a-z0-9]{{2,7}})?|u-[0-9a-z-]{{3,10}}|mac2-m[0-9][a-z]{{0,5}})\.{_SIZE}"
    r"|(?:Standard|Basic)_[A-Z]{1,3}[0-9]{1,3}(?:-[0-9]{1,3})?[a-z]{0,5}(?:_[A-Z][A-Z0-9]{1,5})?(?:_v[0-9])?"
    r"|[a-z][0-9]{1,2}[a-z]?-(?:standard|highmem|highcpu|megamem|ultramem|hypermem|micro|small|medium|(?:high|mega|ultra|edge)gpu)"
    r"(?:-[0-9]{1,3}[a-z]{0,2}){0,2}(?:-lssd|-metal)?"
    r"|[a-z]-[0-9]{1,3}x-(?:amd64|arm64)-(?:linux|windows)"
)
_DESCRIPTION = re.compile(
    rf"[0-9]{{1,6}}(?:\.[0-9]{{1,6}}){{0,2}}(?:[kKMGT]i?)?|-?[0-9]|amd64|arm64|386|s390x|ppc64le|x86_64|on-demand|{_SIZE}"
    r"|[A-Za-z]{1,4}[0-9]{1,4}[a-z]{0,5}(?:-[a-z0-9]{1,5})?|[A-Za-z]{1,2}"
)
"""Of architectures, sizes, families and models of processors."""


def is_place(value: str) -> bool:
    """Whether a value has the form of a cloud's region, zone or id of a zone."""
    return _PLACE.fullmatch(value) is not None


def is_instance_type(value: str) -> bool:
    """Whether a value has the form of a cloud's instance type."""
    return _INSTANCE_TYPE.fullmatch(value) is not None


def names_a_place(key: str) -> bool:
    """Whether a label with open values (public_names.has_open_values) is about a zone or region."""
    return key.rpartition("/")[2] in {"zone", "zone-id", "region"}


def is_cloud_value(key: str, value: str) -> bool:
    """Whether the value of a label with open values is a cloud's word; the form decides, for everybody may set such a label."""
    if names_a_place(key):
        return is_place(value)
    described = _DESCRIPTION.fullmatch(value) is not None or is_public_word(value)
    return is_instance_type(value) or (described and not key.endswith("/instance-type"))
