"""A detector that sees two faces everywhere, the smaller one first."""


class _Network:
    def load_state_dict(self, state, strict):
        assert strict and "weight" in state


class Retinaface:
    def __init__(self, device, pretrained):
        assert pretrained == "local"
        self.net = _Network()

    def __call__(self, pictures):
        _, _, height, width = pictures.shape
        return [[[0.0, 0.0, 10.0, 12.0, 0.9], [5.0, 6.0, width / 2, height / 2, 0.8]]]
