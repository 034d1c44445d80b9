/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Writing the pickle of a PyTorch state dict: data.pkl of a file that torch.save writes. It holds
 * names, shapes and numbers of storages, not the numbers themselves.
 */
#ifndef VOLLEY_TORCH_PICKLE_H
#define VOLLEY_TORCH_PICKLE_H

#include "neurons/import/tensor_set.h"

/* The pickle of {name: tensor, …} in this order, tensor i being all of storage "i", in C order;
 * byte by byte as Python's pickler writes it with protocol 2. From malloc, *bytes its length. NULL
 * with `error` filled for dtypes other than F32, F16, BF16 and when memory is short. */
char *torch_pickle_write(const struct tensor *const *tensors, size_t length, const char *name,
                         size_t *bytes, struct error *error);

#endif
