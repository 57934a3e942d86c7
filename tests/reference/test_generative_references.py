"""Independent witnesses of the generative models: published packages, and brute force."""

from __future__ import annotations

import faiss
import pytest
import torch
from vector_quantize_pytorch import ResidualVQ

from course_utils.models.generative.semantic_ids import RQVAE, quantise, residual_kmeans


def theirs_like(books: torch.Tensor, **options) -> ResidualVQ:
    """Their quantiser with our codebooks, learned by gradient as ours are."""
    depth, n_codes, dim = books.shape
    theirs = ResidualVQ(
        dim=dim, codebook_size=n_codes, num_quantizers=depth, learnable_codebook=True,
        ema_update=False, rotation_trick=False, **options,
    )  # fmt: skip
    with torch.no_grad():
        for layer, book in zip(theirs.layers, books, strict=True):
            layer._codebook.embed.copy_(book.detach().unsqueeze(0))
    return theirs


def test_codes_are_those_of_vector_quantize_pytorch():
    x = torch.randn(300, 5, generator=torch.Generator().manual_seed(0))
    books = residual_kmeans(x, 8, 3)
    quantised, codes, _ = theirs_like(books).eval()(x.unsqueeze(0))
    ours, chosen = quantise(x, books)
    assert torch.equal(codes[0], ours)
    assert torch.allclose(quantised[0], chosen.sum(dim=1), atol=1e-5)


@pytest.mark.parametrize("beta", [0.25, 1.0])
def test_terms_of_the_codes_are_those_of_vector_quantize_pytorch(beta):
    torch.manual_seed(0)
    model = RQVAE(6, 8, 3, dim=4, beta=beta)
    x = torch.randn(50, 6)
    z = model.encoder(x).detach()
    theirs = theirs_like(model.books, commitment_weight=1.0).train()
    _, _, commitment = theirs(z.unsqueeze(0))
    rebuilt = (x - model(x)).square().sum(dim=1).mean()
    of_codes = model.loss(x) - rebuilt
    # both terms have one value; theirs averages over the d = 4 numbers, ours sums
    assert of_codes.item() == pytest.approx((1 + beta) * 4 * commitment.sum().item(), rel=1e-4)


def test_residual_kmeans_is_as_good_as_faiss_own_residual_quantiser():
    x = torch.randn(2_000, 8, generator=torch.Generator().manual_seed(0))
    ours = (x - quantise(x, residual_kmeans(x, 16, 3))[1].sum(dim=1)).square().sum()
    theirs = faiss.ResidualQuantizer(8, 3, 4)
    theirs.max_beam_size = 1
    theirs.train(x.numpy())
    left = (x - torch.from_numpy(theirs.decode(theirs.compute_codes(x.numpy())))).square().sum()
    assert ours.item() == pytest.approx(left.item(), rel=0.03)
