/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The nodes that memory of the running task is to come from, by its memory
 * policy (set_mempolicy(2)) and its cpuset
 *
 * The page allocator follows both by itself. This is for memory that does not
 * come from there.
 */
#ifndef _DMA_BUF_HEAP_POLICY_H
#define _DMA_BUF_HEAP_POLICY_H

#include <linux/cpuset.h>
#include <linux/mempolicy.h>
#include <linux/nodemask.h>
#include <linux/numa.h>
#include <linux/sched.h>
#include <linux/topology.h>

#ifdef CONFIG_NUMA
/* Test whether the policy of the task is the nearest node. */
static inline bool heap_policy_is_local(void)
{
	const struct mempolicy *policy = current->mempolicy;

	return !policy || policy->mode == MPOL_LOCAL;
}

/* Choose by the policy alone, not by the cpuset. */
static inline int heap_policy_preferred_nid(void)
{
	/* Only the task itself replaces its policy. */
	const struct mempolicy *policy = current->mempolicy;
	int nid = numa_mem_id();

	if (heap_policy_is_local())
		return nid;

	switch (policy->mode) {
	case MPOL_PREFERRED:
		return first_node(policy->nodes);
	case MPOL_BIND:
	case MPOL_PREFERRED_MANY:
		return node_isset(nid, policy->nodes) ?
		       nid : first_node(policy->nodes);
	default:
		/* Interleaved: the page allocator counts whose turn it is. */
		return NUMA_NO_NODE;
	}
}

/*
 * Return the nodes that the task's memory must be of; NULL if it may be of all.
 */
static inline const nodemask_t *heap_policy_bound_nodes(void)
{
	const struct mempolicy *policy = current->mempolicy;

	if (unlikely(policy && policy->mode == MPOL_BIND))
		return &policy->nodes;
	if (likely(nodes_subset(node_states[N_MEMORY], cpuset_current_mems_allowed)))
		return NULL;
	return &cpuset_current_mems_allowed;
}
#else
static inline bool heap_policy_is_local(void)
{
	return true;
}

static inline const nodemask_t *heap_policy_bound_nodes(void)
{
	return NULL;
}

static inline int heap_policy_preferred_nid(void)
{
	return numa_mem_id();
}
#endif

/**
 * heap_policy_nid - choose the node for the next page of the running task
 *
 * If the cpuset changes at the same time, the answer may be the old or the new
 * one.
 *
 * Context: Process context.
 * Return: the node, or %NUMA_NO_NODE to leave it to the page allocator.
 */
static inline int heap_policy_nid(void)
{
	int nid = heap_policy_preferred_nid();

	if (nid < 0 || nid >= nr_node_ids ||
	    !node_isset(nid, cpuset_current_mems_allowed))
		return NUMA_NO_NODE;
	return nid;
}

#endif /* _DMA_BUF_HEAP_POLICY_H */
