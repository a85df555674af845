"""Stage one: edits of an aligned face's expression by its action units.

``expander`` holds the protocol and the registry of the siblings: ``geometry`` moves the face by its landmarks and
draws what ships; ``ganimation`` is the published network (Pumarola et al., ECCV 2018) with its own losses, and reads
what others trained. ``editor`` runs any of them, ``checkpoints`` keeps them on disk, ``training`` holds what their
trainings share, ``evaluation`` how well edits do what they are asked. ``transfer``, ``stargan`` and ``cyclegan`` go by
labels (``labelled``), ``landmarks`` by heat maps; none of them ships.
"""
