"""The models that the notebooks teach: a folder a part, a module a family; tensors only."""
