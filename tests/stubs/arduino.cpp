#include "Arduino.h"

#include <stdio.h>

SerialPort Serial;

void SerialPort::begin(unsigned long) {}
void SerialPort::print(const char *text) { fputs(text, stdout); }
void SerialPort::print(unsigned long number) { printf("%lu", number); }
void SerialPort::println(const char *text) { puts(text); }
void SerialPort::println(double number, int digits) { printf("%.*f\n", digits, number); }

unsigned long micros(void) { return 0; }
void delay(uint32_t) {}

int main()
{
    setup();
    loop();
    loop();
}
