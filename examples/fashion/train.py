#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains a spiking classifier of Fashion-MNIST and writes it in Volley's native form.

    image (1,28,28) -> edges: 5 x 5, stride 2, CHANNELS[0] channels of integrate-and-fire neurons
      -> parts: 5 x 5, stride 2, CHANNELS[1] channels of the same -> out: 10 integrators

The image is a constant current, pixel / 255, for TICKS ticks. A neuron adds up what reaches it,
fires when it is above its threshold, and the threshold is taken off; spikes reach the next layer in
the same tick. The class is the integrator that is highest at the end. There are no biases: where
nothing arrives, nothing happens.

The network is trained as it will run: the forward pass is that recurrence, with weights that are
8-bit codes times one scale per projection. Gradients pass a spike by the derivative of an
arctangent, and pass the rounding of weights as if it were not there. A penalty on synaptic
operations keeps spikes few.

    apt install python3-torch python3-numpy libopenblas0-pthread dataset-fashion-mnist
    ./train.py                # trains, writes network.json and network.safetensors, checks them
    ./train.py --evaluate     # only checks the files that are there

The check is a plain simulation in numpy, in double precision, of the files as written. It needs
no torch. Not needed to build, run or test Volley.
"""
import argparse, gzip, json, math, os, re, struct, time
import numpy

HERE = os.path.dirname(os.path.abspath(__file__))
IMAGES = "/usr/share/datasets/fashion-mnist"
TICKS = 8
TICK = 0.001        # seconds
CHANNELS = (12, 48)
KERNEL, STRIDE, PADDING = 5, 2, 2
SCALE = 2.0 ** -7   # of every projection's codes: sums of weights are then exact in any order
BATCH, EPOCHS, RATE = 128, 24, 2e-3
PENALTY = 0.04      # added to the loss for 100,000 synaptic operations an image


# ---------------------------------------------------------------- data and files
def read_idx(name):
    """An array of bytes in the IDX format, from IMAGES."""
    with gzip.open(os.path.join(IMAGES, name)) as file:
        data = file.read()
    rank = data[3]
    shape = struct.unpack(f">{rank}I", data[4:4 + 4 * rank])
    return numpy.frombuffer(data, "u1", offset=4 + 4 * rank).reshape(shape)


def write_safetensors(path, tensors):
    """8-bit integer tensors by name."""
    header, offset = {}, 0
    for name, tensor in tensors.items():
        header[name] = dict(dtype="I8", shape=list(tensor.shape),
                            data_offsets=[offset, offset + tensor.size])
        offset += tensor.size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors.values():
            file.write(tensor.astype("i1").tobytes())


def read_safetensors(path):
    with open(path, "rb") as file:
        data = file.read()
    length, = struct.unpack("<Q", data[:8])
    return {name: numpy.frombuffer(data[8 + length:], "i1")[slice(*entry["data_offsets"])]
            .reshape(entry["shape"]) for name, entry in json.loads(data[8:8 + length]).items()}


def write_network(folder, codes, thresholds):
    """codes: the 8-bit weights of the three projections; thresholds: of the two hidden layers,
    in the potential's own unit, in which a code of 1 is SCALE."""
    def hidden(channels, side, threshold):
        return dict(model="if", shape=[channels, side, side],
                    parameters=dict(v_threshold=threshold, v_reset=0))

    def projection(source, target, rule):
        return {"from": source, "to": target, "rule": rule, "type": "int8", "scale": SCALE,
                "codes": dict(tensor=target + ".weight"), "delay": 0}

    def convolution(channels):
        return dict(convolution=dict(channels=channels, kernel=[KERNEL, KERNEL],
                                     stride=[STRIDE, STRIDE], padding=[PADDING, PADDING]))

    network = dict(
        volley=1, name="fashion", notes="Fashion-MNIST in spikes: see README.md.",
        tick=TICK, duration=TICKS * TICK,
        rules=dict(integration="exact", reset="subtract", threshold="strict", spike_area="jump"),
        populations=dict(
            image=dict(input=True, shape=[1, 28, 28]),
            edges=hidden(CHANNELS[0], 14, thresholds[0]),
            parts=hidden(CHANNELS[1], 7, thresholds[1]),
            out=dict(model="integrator", neurons=10, output=True)),
        projections=[
            projection("image", "edges", convolution(CHANNELS[0])),
            projection("edges", "parts", convolution(CHANNELS[1])),
            projection("parts", "out", "dense")])
    with open(os.path.join(folder, "network.json"), "w") as file:
        numbers = re.compile(r"\[[\s\d,]+\]") # lists of numbers fit on one line
        file.write(numbers.sub(lambda found: " ".join(found[0].split()).replace("[ ", "[")
                               .replace(" ]", "]"), json.dumps(network, indent=2)) + "\n")
    names = ("edges.weight", "parts.weight", "out.weight")
    write_safetensors(os.path.join(folder, "network.safetensors"), dict(zip(names, codes)))


# ---------------------------------------------------------------- training
def train(folder, epochs, seed):
    import torch
    import torch.nn.functional as F
    torch.manual_seed(seed)

    class Fire(torch.autograd.Function):
        """Integrate-and-fire neurons of threshold 1 through all ticks. Takes currents [ticks, …],
        or […] for a constant one; gives spikes [ticks, …] of 0 and 1."""
        @staticmethod
        def forward(context, current, constant):
            shape = current.shape if constant else current.shape[1:]
            potentials = torch.empty((TICKS, *shape))
            spikes = torch.empty((TICKS, *shape))
            v = torch.zeros(shape)
            for tick in range(TICKS):
                torch.add(v, current if constant else current[tick], out=potentials[tick])
                spikes[tick].copy_(potentials[tick] > 1)
                torch.sub(potentials[tick], spikes[tick], out=v)
            context.save_for_backward(potentials)
            context.constant = constant
            return spikes

        @staticmethod
        def backward(context, gradient):
            # a spike's slope in its potential is that of atan(pi (v - 1)) / pi; a reset has none
            potentials, = context.saved_tensors
            slope = (potentials - 1).mul_(math.pi).square_().add_(1).reciprocal_()
            gradient = slope.mul_(gradient)
            for tick in range(TICKS - 2, -1, -1):
                gradient[tick].add_(gradient[tick + 1])
            return (gradient.sum(0) if context.constant else gradient), None

    def step_of(weight):
        """What a code of 1 is worth while thresholds are 1."""
        return weight.detach().abs().max() / 127

    def coded(weight):
        step = step_of(weight)
        return weight + ((weight / step).round() * step - weight).detach()

    class Classifier(torch.nn.Module):
        def __init__(self):
            super().__init__()
            first, second, area = *CHANNELS, KERNEL ** 2
            def weights(gain, *shape):
                return torch.nn.Parameter(torch.randn(shape) * gain)
            self.edges = weights(math.sqrt(2 / area), first, 1, KERNEL, KERNEL)
            self.parts = weights(math.sqrt(4.5 / (first * area)), second, first, KERNEL, KERNEL)
            self.out = weights(math.sqrt(0.25 / (second * 49)), 10, second * 49)

        def forward(self, images):
            """Integrators at the end [images, 10], and synaptic operations an image."""
            where = dict(stride=STRIDE, padding=PADDING)
            edges = Fire.apply(F.conv2d(images, coded(self.edges), **where), True)
            current = F.conv2d(edges.flatten(0, 1), coded(self.parts), **where)
            parts = Fire.apply(current.view(TICKS, len(images), *current.shape[1:]), False)
            counts = parts.sum(0).flatten(1)
            reach = CHANNELS[1] * (KERNEL / STRIDE) ** 2
            synops = (edges.sum() * reach + parts.sum() * 10) / len(images)
            return F.linear(counts, coded(self.out)), synops

    images = torch.from_numpy(read_idx("train-images-idx3-ubyte.gz").copy()).float()[:, None] / 255
    labels = torch.from_numpy(read_idx("train-labels-idx1-ubyte.gz").copy()).long()
    network = Classifier()
    optimiser = torch.optim.Adam(network.parameters())
    batches = len(images) // BATCH
    steps = epochs * batches
    for epoch in range(epochs):
        began, order, total = time.time(), torch.randperm(len(images)), numpy.zeros(3)
        for batch in range(batches):
            done = epoch * batches + batch
            rate = RATE * min(1, (done + 1) / 100) * (1 + math.cos(math.pi * done / steps)) / 2
            for group in optimiser.param_groups:
                group["lr"] = rate
            chosen = order[batch * BATCH:(batch + 1) * BATCH]
            mirror = torch.rand(BATCH, 1, 1, 1) < 0.5
            shown = torch.where(mirror, images[chosen].flip(3), images[chosen])
            row, column = torch.randint(0, 3, (2,)).tolist() # the batch moves by a pixel or stays
            shown = F.pad(shown, (1, 1, 1, 1))[:, :, row:row + 28, column:column + 28]
            out, synops = network(shown)
            loss = F.cross_entropy(out, labels[chosen])
            optimiser.zero_grad(set_to_none=True)
            (loss + PENALTY * synops / 1e5).backward()
            optimiser.step()
            right = (out.argmax(1) == labels[chosen]).float().mean()
            total += (loss.item(), right.item(), synops.item())
        loss, right, synops = total / batches
        print(f"epoch {epoch + 1:2}: loss {loss:.4f}, {100 * right:.2f} % of the training images, "
              f"{synops:.0f} synops an image, {time.time() - began:.0f} s", flush=True)

    weights = [weight.detach() for weight in (network.edges, network.parts, network.out)]
    codes = [(weight / step_of(weight)).round().numpy().astype("i1") for weight in weights]
    # a code of 1 is SCALE from here on, so the thresholds grow by as much as the weights
    write_network(folder, codes, [SCALE / step_of(weight).item() for weight in weights[:2]])


# ---------------------------------------------------------------- the files, simulated
def windows(array, fill=0):
    """[images][channels][height][width] to [images][rows][columns][channels x kernel]."""
    padded = numpy.pad(array, ((0, 0), (0, 0), (PADDING, PADDING), (PADDING, PADDING)),
                       constant_values=fill)
    view = numpy.lib.stride_tricks.sliding_window_view(padded, (KERNEL, KERNEL), (2, 3))
    view = view[:, :, ::STRIDE, ::STRIDE].transpose(0, 2, 3, 1, 4, 5)
    return view.reshape(*view.shape[:3], -1)


def convolve(array, weights):
    """Cross-correlation, [images][channels][height][width] to the same."""
    return (windows(array) @ weights.reshape(len(weights), -1).T).transpose(0, 3, 1, 2)


def fan_out(weights, side):
    """Non-zero weights that a spike reaches, [channels][side][side]."""
    channels = weights.shape[1]
    reach = numpy.zeros((channels, side + 2 * PADDING, side + 2 * PADDING), int)
    nonzero = numpy.count_nonzero(weights, axis=0)
    for row in range(0, side, STRIDE):
        for column in range(0, side, STRIDE):
            reach[:, row:row + KERNEL, column:column + KERNEL] += nonzero
    return reach[:, PADDING:-PADDING, PADDING:-PADDING]


def simulate(network, weights, images):
    """One batch of images, tick by tick. Integrators at the end [images, 10]; spikes of the two
    hidden layers; synops of these; and how close any potential came to its threshold."""
    edges_weight, parts_weight, out_weight = weights
    populations = network["populations"]
    edges_threshold, parts_threshold = (populations[name]["parameters"]["v_threshold"]
                                        for name in ("edges", "parts"))
    reach = fan_out(parts_weight, 14), numpy.count_nonzero(out_weight, axis=0).reshape(-1, 7, 7)
    current = convolve(images[:, None] / 255, edges_weight)
    edges_v = numpy.zeros_like(current)
    parts_v = numpy.zeros((len(images), len(parts_weight), 7, 7))
    out_v = numpy.zeros((len(images), 10))
    spikes, synops, closest = numpy.zeros(2), numpy.zeros(2), math.inf
    for _ in range(round(network["duration"] / network["tick"])):
        edges_v += current
        closest = min(closest, abs(edges_v - edges_threshold).min())
        edges = edges_v > edges_threshold
        edges_v[edges] -= edges_threshold
        parts_v += convolve(edges.astype("f8"), parts_weight)
        closest = min(closest, abs(parts_v - parts_threshold).min())
        parts = parts_v > parts_threshold
        parts_v[parts] -= parts_threshold
        out_v += parts.reshape(len(images), -1).astype("f8") @ out_weight.T
        spikes += edges.sum(), parts.sum()
        synops += (edges * reach[0]).sum(), (parts * reach[1]).sum()
    return out_v, spikes, synops, closest


def evaluate(folder, predictions_path):
    with open(os.path.join(folder, "network.json")) as file:
        network = json.load(file)
    tensors = read_safetensors(os.path.join(folder, "network.safetensors"))
    weights = [tensors[name + ".weight"] * projection["scale"]
               for name, projection in zip(("edges", "parts", "out"), network["projections"])]
    images = read_idx("t10k-images-idx3-ubyte.gz")
    labels = read_idx("t10k-labels-idx1-ubyte.gz")
    spikes, synops, closest, predictions = numpy.zeros(2), numpy.zeros(2), math.inf, []
    for begin in range(0, len(images), 200):
        out, fired, reached, near = simulate(network, weights, images[begin:begin + 200])
        predictions.append(out.argmax(1))
        spikes, synops, closest = spikes + fired, synops + reached, min(closest, near)
    predictions = numpy.concatenate(predictions)
    right = int((predictions == labels).sum())
    count = len(images)
    touched = TICKS * ((images != 0).sum(0) * fan_out(weights[0], 28)[0]).sum()
    dense = sum(weight[0].size * neurons for weight, neurons in
                zip(weights, (weights[0].shape[0] * 14 ** 2, weights[1].shape[0] * 7 ** 2, 10)))
    print(f"{right} of {count} test images right, {100 * right / count:.2f} %")
    print(f"an image: {spikes.sum() / count:.1f} spikes (edges {spikes[0] / count:.1f}, "
          f"parts {spikes[1] / count:.1f})")
    print(f"          {synops.sum() / count:.1f} synops (edges {synops[0] / count:.1f}, "
          f"parts {synops[1] / count:.1f}); a dense pass is {dense} multiply-accumulates")
    print(f"          pixels, as currents, meet {touched / count:.1f} weights over all ticks")
    print(f"no potential came closer to its threshold than {closest:.1e}")
    if predictions_path is not None:
        with open(predictions_path, "w") as file:
            file.write("".join(map(str, predictions)) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default=HERE, help="folder of the network's files")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--evaluate", action="store_true", help="do not train")
    parser.add_argument("--predictions", help="write the class of every test image to this file")
    arguments = parser.parse_args()
    if not arguments.evaluate:
        train(arguments.out, arguments.epochs, arguments.seed)
    evaluate(arguments.out, arguments.predictions)


if __name__ == "__main__":
    main()
