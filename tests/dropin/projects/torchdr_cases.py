"""TorchDR's affinities and embeddings by lazy tensors, beside its dense ones."""

from __future__ import annotations

import pytest
import torch
import torchdr

AFFINITIES = {
    "Gaussian": torchdr.NormalizedGaussianAffinity,
    "Student": torchdr.NormalizedStudentAffinity,
    "self tuning": torchdr.SelfTuningAffinity,
    "MAGIC": torchdr.MAGICAffinity,
    "entropic": lambda **given: torchdr.EntropicAffinity(perplexity=10, sparsity=False, **given),
    "Sinkhorn": torchdr.SinkhornAffinity,
    "UMAP": lambda **given: torchdr.UMAPAffinity(n_neighbors=10, sparsity=False, **given),
}


@pytest.fixture
def points(rng):
    return torch.from_numpy(rng.normal(size=(60, 5)))


@pytest.mark.parametrize("name", AFFINITIES)
def test_an_affinity_has_the_sums_of_the_dense_one(name, points):
    lazy, dense = (
        AFFINITIES[name](backend=backend, device="cpu")(points) for backend in ("keops", None)
    )
    if isinstance(lazy, tuple):  # with the neighbours, of which there are none
        (lazy, _), (dense, _) = lazy, dense
    assert type(lazy).__name__ == "LazyTensor"
    for axis in (0, 1):
        torch.testing.assert_close(
            lazy.sum(axis).view(-1), dense.sum(axis).view(-1), rtol=1e-7, atol=1e-12
        )
    torch.testing.assert_close(lazy @ points, dense @ points, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("metric", ["sqeuclidean", "euclidean", "manhattan", "angular"])
def test_neighbours_are_those_of_the_dense_backend(metric, points):
    found, known = (
        torchdr.pairwise_distances(
            points, metric=metric, backend=backend, k=5, exclude_diag=True, return_indices=True
        )
        for backend in ("keops", None)
    )
    torch.testing.assert_close(found[0], known[0], rtol=1e-7, atol=1e-12)
    assert (found[1] == known[1]).all()


@pytest.mark.parametrize("method", ["TSNE", "SNE"])
def test_an_embedding_starts_as_the_dense_one(method, points):
    found, known = (
        getattr(torchdr, method)(
            backend=backend, device="cpu", init="pca", max_iter=5, random_state=0
        ).fit_transform(points)
        for backend in ("keops", None)
    )
    torch.testing.assert_close(found, known, rtol=1e-5, atol=1e-8)
