/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The queues that the benchmark of the queue compares Volley's with. All of them compare ticks only:
 * unlike Volley's, they may hand out the events of one tick in any order.
 *
 *     std::priority_queue    a binary heap
 *     boost 4-ary heap       where boost is installed
 *     std::multiset          a red-black tree, as in ns-3's standard scheduler
 *     told wheel             a calendar of linked lists whose slots were chosen for the distribution
 *                            and the number of events, which it is told beforehand
 */
#include "queue_peers.h"

#include <cstdlib>
#include <new>
#include <queue>
#include <set>
#include <vector>

#if defined(__has_include)
#if __has_include(<boost/heap/d_ary_heap.hpp>)
#include <boost/heap/d_ary_heap.hpp>
#define HAVE_BOOST
#endif
#endif

namespace {

struct later {
    bool operator()(const peer_event &a, const peer_event &b) const { return a.tick > b.tick; }
};

struct earlier {
    bool operator()(const peer_event &a, const peer_event &b) const { return a.tick < b.tick; }
};

template <class Heap> struct heap_queue {
    Heap heap;
    void push(const peer_event &event) { heap.push(event); }
    peer_event pop()
    {
        peer_event event = heap.top();
        heap.pop();
        return event;
    }
};

struct tree_queue {
    std::multiset<peer_event, earlier> tree;
    void push(const peer_event &event) { tree.insert(event); }
    peer_event pop()
    {
        auto first = tree.begin();
        peer_event event = *first;
        tree.erase(first);
        return event;
    }
};

/* Slots of 2^shift ticks, used in turn: an event stands in the slot of its tick, whichever lap. The
 * slot of the present is a short list sorted by tick; all other slots are unsorted. */
class wheel_queue {
    static constexpr uint32_t none = UINT32_MAX;
    struct node {
        peer_event event;
        uint32_t next;
    };
    std::vector<node> nodes;
    std::vector<uint32_t> heads;
    uint32_t unused = none;
    uint32_t sorted = none; /* the present slot's events of this lap */
    int shift = 0;
    int64_t slot = 0; /* the present one, laps included */

    void insert_sorted(uint32_t index)
    {
        uint32_t *link = &sorted;
        while (*link != none && nodes[*link].event.tick < nodes[index].event.tick)
            link = &nodes[*link].next;
        nodes[index].next = *link;
        *link = index;
    }

    void open_slot()
    {
        uint32_t *head = &heads[slot & static_cast<int64_t>(heads.size() - 1)];
        uint32_t index = *head;
        *head = none;
        while (index != none) {
            uint32_t next = nodes[index].next;
            if (nodes[index].event.tick >> shift == slot) {
                insert_sorted(index);
            } else {
                nodes[index].next = *head;
                *head = index;
            }
            index = next;
        }
    }

  public:
    /* One to two events a slot, as many slots as nearly all increments span. */
    explicit wheel_queue(const hold_work &work)
    {
        double gap = work.mean / static_cast<double>(work.length);
        while (static_cast<double>(int64_t{2} << shift) <= 2 * gap)
            shift++;
        double span = static_cast<double>(work.most) < 8 * work.mean
                          ? static_cast<double>(work.most)
                          : 8 * work.mean;
        size_t slots = 1;
        while (static_cast<double>(slots) * static_cast<double>(int64_t{1} << shift) < span)
            slots *= 2;
        heads.assign(slots, none);
        nodes.reserve(work.length + 1);
    }

    void push(const peer_event &event)
    {
        uint32_t index = unused;
        if (index != none) {
            unused = nodes[index].next;
            nodes[index].event = event;
        } else {
            index = static_cast<uint32_t>(nodes.size());
            nodes.push_back(node{event, none});
        }
        if (event.tick >> shift == slot) {
            insert_sorted(index);
        } else {
            uint32_t *head =
                &heads[event.tick >> shift & static_cast<int64_t>(heads.size() - 1)];
            nodes[index].next = *head;
            *head = index;
        }
    }

    peer_event pop()
    {
        while (sorted == none) {
            slot++;
            open_slot();
        }
        uint32_t index = sorted;
        sorted = nodes[index].next;
        nodes[index].next = unused;
        unused = index;
        return nodes[index].event;
    }
};

template <class Queue> Queue *make_queue(const hold_work &)
{
    return new Queue;
}

template <> wheel_queue *make_queue<wheel_queue>(const hold_work &work)
{
    return new wheel_queue(work);
}

template <class Queue> void *make(const hold_work *work)
try {
    Queue *queue = make_queue<Queue>(*work);
    for (size_t i = 0; i < work->length; i++)
        queue->push(peer_event{work->first[i], 0, static_cast<uint32_t>(i)});
    return queue;
} catch (const std::bad_alloc &) {
    return nullptr;
}

template <class Queue>
uint64_t hold(void *pointer, const hold_work *work, size_t from, size_t holds)
{
    Queue &queue = *static_cast<Queue *>(pointer);
    uint64_t sum = 0;
    for (size_t i = 0; i < holds; i++) {
        peer_event event = queue.pop();
        sum += static_cast<uint64_t>(event.tick);
        event.tick += work->increments[(from + i) % INCREMENTS];
        queue.push(event);
    }
    return sum;
}

template <class Queue> void destroy(void *queue)
{
    delete static_cast<Queue *>(queue);
}

template <class Queue> constexpr hold_queue peer(const char *name)
{
    return {name, make<Queue>, hold<Queue>, destroy<Queue>};
}

using binary_heap =
    heap_queue<std::priority_queue<peer_event, std::vector<peer_event>, later>>;
#ifdef HAVE_BOOST
using boost_heap = heap_queue<boost::heap::d_ary_heap<peer_event, boost::heap::arity<4>,
                                                      boost::heap::compare<later>>>;
#endif

} // namespace

extern "C" const hold_queue hold_peers[] = {
    peer<wheel_queue>("told wheel"),
    peer<binary_heap>("std::priority_queue"),
    peer<tree_queue>("std::multiset"),
#ifdef HAVE_BOOST
    peer<boost_heap>("boost 4-ary heap"),
#endif
    {nullptr, nullptr, nullptr, nullptr},
};
