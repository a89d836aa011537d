#pragma once

#include <thrust/for_each.h>
#include <thrust/iterator/counting_iterator.h>
#include <thrust/sort.h>

#include "kernels/random/bits.h"

// The Fisher-Yates shuffle by a sort, on any of Thrust's systems: the host's in a test, CUDA's in libheddle_cuda.
// native_permutation.cu explains the chains that are followed here. There, steps with the same choice form unordered
// lists; a stable sort by choice puts them side by side, in order. (A place's first step should come after the place.
// If it is the step of that very place, it has exchanged nothing, and no chain passes here.)
namespace heddle::kernels {

/// Arrays of n elements each; 0 stands for no step, since step 0 exchanges nothing.
struct SortedChoices {
    std::uint32_t* choice;  ///< step i's, sorted, for i from 1 on; n - 1 of them
    std::uint32_t* step;    ///< the steps in the same order
    std::uint32_t* next;    ///< step i's next one with the same choice
    std::uint32_t* first;   ///< the first step that chose place p
};

struct DrawChoice {
    RandomState state;
    SortedChoices to;

    static HEDDLE_HD std::int64_t of_step(const RandomState& state, std::int64_t i) {
        const std::uint64_t offset = state.offset + (state.device_offset ? *state.device_offset : 0);
        return choose_below(Philox::block(state.seed, offset, static_cast<std::uint64_t>(i)), i + 1);
    }
    HEDDLE_HD void operator()(std::int64_t i) const {
        to.next[i] = to.first[i] = 0;
        if (i == 0) return;
        to.choice[i - 1] = static_cast<std::uint32_t>(of_step(state, i));
        to.step[i - 1] = static_cast<std::uint32_t>(i);
    }
};

/// Links the step at place j of the sorted ones.
struct LinkSteps {
    SortedChoices steps;
    std::int64_t count;  ///< of steps

    HEDDLE_HD void operator()(std::int64_t j) const {
        const std::uint32_t choice = steps.choice[j], step = steps.step[j];
        if (j + 1 < count && steps.choice[j + 1] == choice) steps.next[step] = steps.step[j + 1];
        if (j == 0 || steps.choice[j - 1] != choice) steps.first[choice] = step;
    }
};

struct FollowChain {
    RandomState state;
    SortedChoices steps;
    std::int64_t* y;

    HEDDLE_HD void operator()(std::int64_t i) const {
        std::int64_t place = i == 0 ? 0 : DrawChoice::of_step(state, i);
        for (std::uint32_t step = i == 0 ? steps.first[0] : steps.next[i]; step != 0; step = steps.first[step])
            place = step;
        y[i] = place;
    }
};

template <class Policy>
void permute_by_sorting(const Policy& policy, const RandomState& state, SortedChoices arrays, std::int64_t* y,
                        std::int64_t n) {
    const auto zero = thrust::make_counting_iterator(std::int64_t{0});
    thrust::for_each_n(policy, zero, n, DrawChoice{state, arrays});
    if (n > 1) {
        thrust::stable_sort_by_key(policy, arrays.choice, arrays.choice + n - 1, arrays.step);
        thrust::for_each_n(policy, zero, n - 1, LinkSteps{arrays, n - 1});
    }
    thrust::for_each_n(policy, zero, n, FollowChain{state, arrays, y});
}

}  // namespace heddle::kernels
