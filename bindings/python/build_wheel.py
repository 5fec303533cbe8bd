"""Makes the wheel (PEP 517) of the one module there is. What pyproject.toml says of the project is read there, a line each."""
import base64
import hashlib
import os
import re
import tarfile
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
MODULE, PROJECT = "llmrouter.py", "pyproject.toml"


def _text(name):
    with open(os.path.join(HERE, name), encoding="utf-8") as file:
        return file.read()


def _field(name):
    return re.search(rf'^{name} = "(.*)"$', _text(PROJECT), re.M).group(1)


def _named():
    return f"{_field('name')}-{_field('version')}"


def _metadata():
    return (f"Metadata-Version: 2.1\nName: {_field('name')}\nVersion: {_field('version')}\nSummary: {_field('description')}\nLicense: MIT\n"
            f"Requires-Python: {_field('requires-python')}\n")


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    info = f"{_named()}.dist-info"
    files = {
        MODULE: _text(MODULE),
        f"{info}/METADATA": _metadata(),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: llmrouter\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = []
    for name, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(text.encode())}\n")
    files[f"{info}/RECORD"] = "".join(lines) + f"{info}/RECORD,,\n"
    wheel = f"{_named()}-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(wheel_directory, wheel), "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return wheel


def build_sdist(sdist_directory, config_settings=None):
    sdist = f"{_named()}.tar.gz"
    with tarfile.open(os.path.join(sdist_directory, sdist), "w:gz") as archive:
        for name in (MODULE, PROJECT, os.path.basename(__file__)):
            archive.add(os.path.join(HERE, name), f"{_named()}/{name}")
    return sdist
