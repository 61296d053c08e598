// Running sums that lose nothing: a tile is summed as it comes, and this takes the sums of tiles.

// Kahan's: Higham 2002, Accuracy and Stability of Numerical Algorithms, algorithm 4.2.
DEVICE void add_sum(Real &total, Real &lost, Real sum) {
    const Real corrected = sum - lost;
    const Real larger = total + corrected;
    const Real rest = (larger - total) - corrected;
    // An infinite total has nothing to correct, and inf - inf would make it NaN.
    lost = rest == rest ? rest : Real(0);
    total = larger;
}
