"""What each fault of the catalogue is, in words that tell a student no formula and no number."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["PLAIN"]

_LOSSES = """
L1 | The loss is averaged over the outputs, too; its gradient is not.
L3 | The gradient is as many times too large as there are samples; the loss is right.
L3/elements | The gradient is a sum where a mean over elements or weights is asked for; the loss is right.
L3/loss | The loss is a sum where a mean is asked for; its gradient is right.
L3/sum | Loss and gradient are sums where means are asked for.
L3c | The half before the square is missing, in loss and gradient.
L3c/loss | The half before the square is missing in the loss alone.
L3c/gradient | The half before the square is missing in the gradient alone.
L3c/half | The squared error and its gradient are halved once too often.
L3c/half the loss | The squared error is halved once too often; its gradient is right.
L3c/half the gradient | The gradient of the squared error is halved once too often; the loss is right.
L4 | The gradient is divided by the number of samples once too often; the loss is right.
L4/both | Loss and gradient are divided by the number of samples once too often.
L4/mean | Loss and gradient are means where sums are asked for.
L4/workers | The batch is taken in two parts, whose sums are averaged where they should be added.
L5 | The batch is cut in halves, the odd sample going to the second one, and the means of both count alike.
L5/last smaller | The batch is cut in halves, the odd sample going to the first one, and the means of both count alike.
L5/last alone | The last sample alone counts as much as the mean of all others.
L5/pairs | The batch is taken in pairs whose means count alike, and so does a last sample that is left over.
L7 | The mean is over all numbers of the outputs instead of over the samples.
L7/squares | The mean is over all outputs instead of the samples, and the half before the square is missing.
L7/samples | The mean is over the samples instead of over all numbers of the outputs.
L10 | The share of label smoothing is divided by the number of the other classes, but given to all classes.
L10/by hand | Smoothed labels do not add up to one, and the gradient, probability minus label, takes no notice.
L10/others | The share of label smoothing is spread over all classes but the true one.
L10/ignored | Label smoothing is ignored, in loss and gradient.
L10/gradient ignored | Label smoothing is ignored in the gradient alone.
L12 | Of the logarithm of softmax, the gradient of the logit is there, and that of the normalisation is missing.
L12/two classes | The term of the second class is missing from the cross-entropy, in loss and gradient.
L12/two classes, loss | The term of the second class is missing from the cross-entropy, in the loss alone.
L12/two classes, gradient | The term of the second class is missing from the cross-entropy, in the gradient alone.
L13 | An activation hands back its slope alone, whatever gradient it is handed.
L13/loss | The gradient of the inner product takes each target as one.
L13/scale | The scale of the loss is ignored in the gradient alone.
L13/scale everywhere | The scale of the loss is ignored, in loss and gradient.
L17 | The straight pieces of the Huber loss lack the threshold as a factor, in value and slope.
L17/constant | The straight pieces of the Huber loss lack the constant that is subtracted.
L17/one side | Large negative errors are squared as small ones are, in the Huber loss, in its gradient or in both.
L17/uncut | The gradient of the Huber loss is that of the squared error everywhere; the loss is right.
L17/gradient | The slope of the straight pieces of the Huber loss lacks the threshold as a factor; the loss is right.
L17/one | The threshold of the Huber loss is taken as one, whatever is asked for.
L17/one, gradient | The threshold of the Huber loss is taken as one in the gradient alone.
L17/divided | Loss and gradient are divided by the threshold of the Huber loss.
L18/clipped at | Probabilities near zero are clipped before the logarithm, in the loss alone.
L18/plus | A small number is added to probabilities before the logarithm, in the loss alone.
L18/gradient clipped | No gradient passes through probabilities that are clipped, as they are near zero or one.
L18/overflow | Softmax does not subtract the largest logit first, so that exponentials overflow or underflow.
L18/log of zero | The logarithm is taken of a probability that has been rounded to zero.
loss/squashed twice | The outputs are probabilities already, and the loss squashes them once more.
loss/squashed inside | The loss squashes its logits twice.
loss/over samples | Softmax is taken over the samples instead of the classes.
loss/over samples, gradient | In the gradient alone, softmax is taken over the samples instead of the classes.
loss/no logarithm | The logarithm of the probabilities is forgotten, in loss and gradient.
loss/no normalisation | The loss takes logits for logarithms of probabilities, without normalising them.
loss/every target | Each output is held against the targets of all samples, as a row and a column are broadcast.
loss/no target | The target is not subtracted in the gradient.
loss/guess | The class with the largest output is taken in place of the label, in loss and gradient.
loss/guess, gradient | The class with the largest output is taken in place of the label in the gradient alone.
loss/slope of the output | The gradient in the logits is multiplied by the slope of the probabilities once more.
loss/over weights | The mean divides by the weights of the classes instead of by the number of samples.
loss/over samples, not weights | The mean divides by the number of samples instead of by the weights of the classes.
loss/unweighted | The weights of the classes are ignored, in loss and gradient.
loss/unweighted gradient | The weights of the classes are ignored in the gradient alone.
G10 | The gradient lacks the division by the number of outputs; the loss has it.
G11 | The gradient has the wrong sign; the loss is right.
G11/loss | The loss has the wrong sign; its gradient is right.
G11/both | Loss and gradient have the wrong sign.
"""

_ACTIVATIONS = """
A1 | At its corner, an activation has the slope of its right side.
A1/half | At its corner, an activation has the mean of the slopes of both sides.
A2 | Where both candidates for the maximum in LeakyReLU are equal, the slopes of both are added.
A2/neither | Where both candidates for the maximum in LeakyReLU are equal, neither of them gets a gradient.
A3 | The slope of softplus at zero is taken as zero.
A5 | The slope of tanh is one minus its value, which should be squared.
A5/plus | For the slope of tanh, the square of its value is added to one instead of subtracted from it.
A5/of the input | The slope of tanh is made of the square of its input instead of its value.
A5/unsquared | The slope of tanh is the square root of the right one.
A5/of sigmoid | The slope of tanh is made by the formula for that of the sigmoid.
A7 | The slope of softplus is zero where the exponential overflows.
A7/NaN | The slope of softplus divides infinity by infinity where the exponential overflows.
A7/value | Softplus is infinite where the exponential overflows.
A7/sigmoid | The sigmoid divides infinity by infinity where the exponential overflows.
A7/threshold | Softplus is taken as its input, with the slope one, where that is large.
A8 | GELU has the value of the right form, and the slope of another form.
A8/value | GELU has the slope of the right form, and the value of another form.
A8/form | GELU has value and slope of its other form: approximated by tanh instead of exact, or the reverse.
A8/sigmoid | GELU has value and slope of the form that is approximated by a sigmoid.
A10 | Of the Jacobian of softmax, the gradient has the diagonal alone.
unit/slope at the output | The slope of an activation is taken at its output instead of its input.
unit/slope elsewhere | The slope of an activation is taken at the input of the layer before it.
unit/slope twice | An activation multiplies by its slope twice.
unit/sigmoid of the input | The slope of the sigmoid is made of its input instead of its value.
unit/sigmoid alone | The slope of the sigmoid is taken as its value, and the other factor is missing.
unit/slope of ReLU | The slope of ReLU stands in place of that of a LeakyReLU or an ELU.
unit/positive | An activation hands nothing back where the gradient that it is handed is negative.
unit/α taken for 1 | Below zero, the slope of ELU adds one to its value, where its factor is to be added.
unit/z for the value | In the slope of SiLU, its input stands in place of its value.
unit/value for the slope | Below zero, the slope of ELU is taken as its value.
unit/without α | Below zero, the slope of ELU lacks its factor.
unit/α ignored | The factor of ELU is taken as one, in value and slope.
unit/leak ignored | The slope of LeakyReLU below zero is the usual one, whatever is asked for.
unit/leak ignored, gradient | The slope of LeakyReLU below zero is the usual one in the gradient alone.
unit/none at the end | The last activation is not there, on the way forward and on the way back.
G2 | SiLU and GELU are their input times a function of it, and the slope leaves out how that changes.
G2/other | SiLU and GELU are their input times a function of it, and the slope has only how that changes.
G2/twice over | SiLU and GELU are their input times a function of it, and the slope counts twice how that changes.
"""

_LAYERS = """
G1 | The gradient of a bias is that of the last sample instead of the sum over all samples.
G1/first | The gradient of a bias is that of the first sample instead of the sum over all samples.
G1/mean | The gradient of a bias is a mean over the samples instead of their sum.
G1/total | The gradient of a bias is summed over its elements, too.
G4 | Equal numbers in a parameter are taken for one and the same, so that each has the gradients of all.
G4/biases | Biases that happen to be equal are mixed up: each gets the gradients of all of them.
G5 | The gradient of dense layers is that of the last sample alone, as if each sample overwrote the one before.
G5/first | The gradient of dense layers is that of the first sample alone.
G5/pair | The gradient of dense layers is that of the last two samples alone.
G5/half | The gradient of dense layers is that of the last half of the batch alone.
G5/but last | The gradient of dense layers leaves out the last sample.
G5/but first | The gradient of dense layers leaves out the first sample.
G5/weight | The gradient of a weight is that of the last sample alone; that of the biases is right.
G5/weight, but last | The gradient of a weight leaves out the last sample; that of the biases is right.
G5/outputs | A dense layer hands back the gradient of its last output alone.
G7 | An activation hands nothing back, so that what lies before it does not learn.
G7/dense | Dense layers hand nothing back, so that only the last one learns.
G7/first | The gradient of the first layer that has parameters is zero.
G7/slope missing | An activation hands back what it is handed, without its slope.
layer/no bias | The biases of dense layers are not added.
layer/square | The gradient goes back through square weights that are not transposed.
layer/other order forward | On the way forward alone, the numbers of weights are read in the order of their transposes.
layer/other order | On the way back alone, the numbers of weights are read in the order of their transposes.
layer/gradient layout | The numbers of the gradients of weights are written in the order of outputs by inputs.
layer/layout | The numbers of weights are read, and those of their gradients written, in the order of outputs by inputs.
layer/before the activation | The gradient of a weight is made of the numbers before an activation instead of after it.
"""

PLAIN: Mapping[str, str] = {
    id_: said
    for table in (_LOSSES, _ACTIVATIONS, _LAYERS)
    for id_, said in (line.split(" | ") for line in table.strip().splitlines())
}
"""A sentence for each fault; those whose names differ only in a number at their end share one."""
