"""Independent witnesses of the sequence models: PyTorch's own encoder, and published packages."""

from __future__ import annotations

import torch
from torch import nn

from course_utils.models.sequence.sasrec import GRU, Block, SASRec, causal


def theirs_like(block: Block, dim: int, heads: int) -> nn.TransformerEncoderLayer:
    """PyTorch's pre-norm layer with the weights of ours."""
    layer = nn.TransformerEncoderLayer(
        dim, heads, 4 * dim, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    ).double()
    joint = (block.query, block.key, block.value)
    with torch.no_grad():
        layer.self_attn.in_proj_weight.copy_(torch.cat([part.weight for part in joint]))
        layer.self_attn.in_proj_bias.copy_(torch.cat([part.bias for part in joint]))
    pairs = {
        layer.self_attn.out_proj: block.out,
        layer.linear1: block.network[0],
        layer.linear2: block.network[2],
        layer.norm1: block.before_attention,
        layer.norm2: block.before_network,
    }
    for their, ours in pairs.items():
        their.load_state_dict(ours.state_dict())
    return layer


def test_sasrec_equals_pytorchs_encoder():
    torch.manual_seed(0)
    model = SASRec(30, dim=8, length=6, layers=3, heads=2, dropout=0.0).double().eval()
    track = torch.randint(1, 30, (4, 6))
    mask = torch.arange(6) >= torch.tensor([[0], [2], [3], [5]])
    place = torch.zeros_like(track)
    for row in range(4):
        place[row, mask[row]] = torch.arange(int(mask[row].sum()))
    x = model.items(track) * 8**0.5 + model.place[place]
    for block in model.blocks:
        forbidden = ~causal(mask)[:, 0].repeat_interleave(2, dim=0)
        x = theirs_like(block, 8, 2)(x, src_mask=forbidden)
    assert torch.allclose(model.states(track, mask)[mask], model.norm(x)[mask], atol=1e-12)


def test_gru_equals_its_cell_step_by_step():
    torch.manual_seed(0)
    model = GRU(30, dim=5, hidden=7).double().eval()
    cell = nn.GRUCell(5, 7).double()
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        getattr(cell, name).data.copy_(getattr(model.cell, f"{name}_l0"))
    track = torch.randint(1, 30, (3, 4))
    mask = torch.arange(4) >= torch.tensor([[0], [1], [3]])
    states = model.states(track, mask)
    for row in range(3):
        h = torch.zeros(1, 7).double()
        for place in torch.nonzero(mask[row])[:, 0].tolist():
            h = cell(model.items(track[row, place])[None] * 5**0.5, h)
            assert torch.allclose(states[row, place], model.out(h)[0], atol=1e-12)
