"""PyYAML's reading of YAML streams as JSON, in the protocol of yaml-oracle: a line with a number of bytes, then the bytes;
for each stream a line with an array of documents, or with an error. The argument is the folder of the library.
"""

import json
import sys

sys.path.insert(0, sys.argv[1])
import yaml  # noqa: E402


def plain(value):
    """The value in JSON's types; what JSON has no type for is told by its Python type, so that it equals nothing."""
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            return {"python-keys": [type(key).__name__ for key in value]}
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return {"python-type": type(value).__name__}


def main():
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    source = sys.stdin.buffer
    while length := source.readline():
        text = source.read(int(length)).decode()
        try:
            answer = [plain(document) for document in yaml.load_all(text, Loader=loader)]
        except Exception as error:
            answer = {"error": str(error)}
        print(json.dumps(answer, allow_nan=False))


main()
