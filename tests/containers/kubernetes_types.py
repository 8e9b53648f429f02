"""Checks an object as Kubernetes' own API description types it, by the models that its Python client is generated with
(Debian's python3-kubernetes): every field is known, of its type, and none that is required is missing.
"""
import re

from kubernetes.client import models

PLAIN = {"str": str, "int": int, "bool": bool, "float": (int, float)}


def model_of(kind):
    return getattr(models, kind, None)


def breaches_of(document):
    """Sentences, one a breach; none where the object is sound."""
    version = document.get("apiVersion", "").split("/")[-1]
    type_name = version.capitalize() + document.get("kind", "")
    if model_of(type_name) is None:
        return [f"{document.get('apiVersion')} {document.get('kind')} is no type of object"]
    return list(_breaches(document, type_name, document["kind"]))


def _breaches(value, type_name, path):
    listed = re.fullmatch(r"list\[(.*)\]", type_name)
    mapped = re.fullmatch(r"dict\(str, (.*)\)", type_name)
    if listed:
        if not isinstance(value, list):
            yield f"{path} must be a list"
            return
        for index, item in enumerate(value):
            yield from _breaches(item, listed[1], f"{path}[{index}]")
    elif mapped:
        if not isinstance(value, dict):
            yield f"{path} must be a map"
            return
        for key, item in value.items():
            yield from _breaches(item, mapped[1], f"{path}.{key}")
    elif type_name in PLAIN:
        if not isinstance(value, PLAIN[type_name]) or (isinstance(value, bool) and type_name != "bool"):
            yield f"{path} is {value!r}, which is no {type_name}"
    elif model_of(type_name):
        yield from _breaches_of_model(value, type_name, path)


def _breaches_of_model(value, type_name, path):
    if not isinstance(value, dict):
        yield f"{path} must be a {type_name}"
        return
    model = model_of(type_name)
    attributes = {field: attribute for attribute, field in model.attribute_map.items()}
    for field, item in value.items():
        if field not in attributes:
            yield f"{path}.{field} is no field of {type_name}"
        else:
            yield from _breaches(item, model.openapi_types[attributes[field]], f"{path}.{field}")
    try:
        model(**{attributes[field]: item for field, item in value.items() if field in attributes})
    except ValueError as error:  # the client's own check, of required fields and choices
        yield f"{path}: {error}"
