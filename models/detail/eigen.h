#pragma once

#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

namespace heddle::detail {

struct Eigen {
    std::vector<double> values = {};                ///< not sorted
    std::vector<std::vector<double>> vectors = {};  ///< vectors[i] belongs to values[i], of length 1
};

/// Eigenvalues of a small symmetric matrix n x n, by Jacobi's rotations (Golub and Van Loan, section 8.5): sweeps over
/// all pairs of axes until nothing beside the diagonal is left.
inline Eigen eigen_of_symmetric(std::vector<double> a, std::size_t n) {
    std::vector<std::vector<double>> vectors(n, std::vector<double>(n));
    for (std::size_t i = 0; i < n; ++i) vectors[i][i] = 1;
    const auto at = [&](std::size_t row, std::size_t column) -> double& { return a[row * n + column]; };
    for (int sweep = 0; sweep < 100; ++sweep) {
        double beside = 0, diagonal = 0;
        for (std::size_t p = 0; p < n; ++p) {
            diagonal += at(p, p) * at(p, p);
            for (std::size_t q = p + 1; q < n; ++q) beside += at(p, q) * at(p, q);
        }
        if (beside <= 1e-30 * diagonal) break;
        for (std::size_t p = 0; p < n; ++p)
            for (std::size_t q = p + 1; q < n; ++q) {
                if (at(p, q) == 0) continue;
                // The angle that makes the element (p, q) vanish.
                const double theta = (at(q, q) - at(p, p)) / (2 * at(p, q));
                const double t = (theta >= 0 ? 1.0 : -1.0) / (std::abs(theta) + std::sqrt(theta * theta + 1));
                const double c = 1 / std::sqrt(t * t + 1), s = t * c;
                for (std::size_t k = 0; k < n; ++k) {
                    const double kp = at(k, p), kq = at(k, q);
                    at(k, p) = c * kp - s * kq;
                    at(k, q) = s * kp + c * kq;
                }
                for (std::size_t k = 0; k < n; ++k) {
                    const double pk = at(p, k), qk = at(q, k);
                    at(p, k) = c * pk - s * qk;
                    at(q, k) = s * pk + c * qk;
                    const double vp = vectors[p][k], vq = vectors[q][k];
                    vectors[p][k] = c * vp - s * vq;
                    vectors[q][k] = s * vp + c * vq;
                }
            }
    }
    Eigen result;
    for (std::size_t i = 0; i < n; ++i) result.values.push_back(at(i, i));
    result.vectors = std::move(vectors);
    return result;
}

}  // namespace heddle::detail
